import CRM
import Model

/// What is wrong with a value: pydantic 2's `type` and `msg`, which the clients know.
struct Misfit: Error, Equatable {
    let type: String
    let message: String

    init(_ type: String, _ message: String) {
        self.type = type
        self.message = message
    }

    static let missing = Misfit("missing", "Field required")
    static let noObject = Misfit(
        "model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
    static let noList = Misfit("list_type", "Input should be a valid list")
    static let noString = Misfit("string_type", "Input should be a valid string")
    static let noBoolean = Misfit("bool_type", "Input should be a valid boolean")
    static let unreadableBoolean = Misfit("bool_parsing", "Input should be a valid boolean, unable to interpret input")
    static let noInteger = Misfit("int_type", "Input should be a valid integer")
    static let unreadableInteger = Misfit(
        "int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    static let oversizedInteger = Misfit(
        "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
    static let fraction = Misfit(
        "int_from_float", "Input should be a valid integer, got a number with a fractional part")
    static let unknownParameter = Misfit("extra_forbidden", "Extra inputs are not permitted")
    static let tooManyFaults = Misfit(
        "too_many_errors", "More is wrong with the request than the first \(Faults.limit) faults, and is not listed")
    static let noStatus = Misfit("literal_error", "Input should be 'active' or 'closed'")
    static let nulCharacter = Misfit("value_error", "Value error, text must not contain the character U+0000")

    static func tooLow(_ bound: Int64) -> Misfit {
        Misfit("greater_than_equal", "Input should be greater than or equal to \(bound)")
    }
    static func tooHigh(_ bound: Int64) -> Misfit {
        Misfit("less_than_equal", "Input should be less than or equal to \(bound)")
    }
    static func tooLong(_ limit: Int) -> Misfit {
        Misfit("string_too_long", "String should have at most \(limit) characters")
    }
    static func tooMany(_ count: Int, limit: Int) -> Misfit {
        Misfit("too_long", "List should have at most \(limit) items after validation, not \(count)")
    }
}

/// One thing that is wrong with a request, and where.
struct Fault: Equatable {
    /// For example `["body", "operator_weights", 0, "weight"]`; of a body that is no JSON, the offset of the byte.
    let location: [Step]
    let misfit: Misfit
    /// What the JSON parser met.
    var reason: String?

    enum Step: Equatable {
        case name(String)
        case index(Int)
    }
}

/// What is wrong with a request, in the order of reading.
///
/// Refusing must not cost more than serving: beyond ``limit`` faults nothing is worth reading, and one entry says so.
struct Faults {
    static let limit = 100

    private(set) var entries: [Fault] = []
    /// Whether there were more than ``limit``, so that reading may stop.
    var isOverfull: Bool { entries.count > Self.limit }

    mutating func append(_ fault: Fault) {
        if entries.count < Self.limit {
            entries.append(fault)
        } else if !isOverfull {
            entries.append(Fault(location: Array(fault.location.prefix(1)), misfit: .tooManyFaults))
        }
    }
}

/// How a JSON value is read: in pydantic's lax mode, where what is plainly meant is taken.
///
/// Values of a path or query are read as JSON strings.
struct Conversion<Value> {
    /// What is handed out where there is a fault, so that the rest can be read.
    let placeholder: Value
    let convert: (JSON) throws(Misfit) -> Value
}

extension Conversion where Value == String {
    /// - Parameter limit: The most characters (Unicode scalars) there may be.
    static func text(upTo limit: Int = .max) -> Self {
        Self(placeholder: "") { json throws(Misfit) in
            guard case .string(let text) = json else { throw .noString }
            // Bytes are counted at once, scalars one by one; there are never fewer bytes.
            guard text.utf8.count <= limit || text.unicodeScalars.count <= limit else { throw .tooLong(limit) }
            // PostgreSQL's text has no such character.
            guard !text.utf8.contains(0) else { throw .nulCharacter }
            return text
        }
    }
}

extension Conversion where Value == Bool {
    static var boolean: Self {
        Self(placeholder: false) { json throws(Misfit) in
            switch json {
            case .bool(let value): return value
            case .integer(0), .number(0): return false
            case .integer(1), .number(1): return true
            case .integer: throw .unreadableBoolean
            // No word is longer than `false`.
            case .string(let text) where text.utf8.count <= 5:
                switch text.lowercased() {
                case "0", "off", "f", "false", "n", "no": return false
                case "1", "on", "t", "true", "y", "yes": return true
                default: throw .unreadableBoolean
                }
            case .string: throw .unreadableBoolean
            case .null, .number, .array, .object: throw .noBoolean
            }
        }
    }
}

extension Conversion where Value == ContactStatus {
    static var status: Self {
        Self(placeholder: .active) { json throws(Misfit) in
            guard case .string(let text) = json,
                let status = ContactStatus.allCases.first(where: { text.hasBytes(of: $0.rawValue) })
            else { throw .noStatus }
            return status
        }
    }
}

extension Conversion where Value: FixedWidthInteger {
    static func integer(in range: ClosedRange<Value>) -> Self {
        Self(placeholder: range.lowerBound) { json throws(Misfit) in
            Value(try json.integer(in: Int64(range.lowerBound)...Int64(range.upperBound), JSON.integer(parsing:in:)))
        }
    }
}

extension Conversion where Value == Int32 {
    /// A number of at least 1.
    static var count: Self { integer(in: 1 ... .max) }
}

extension Conversion {
    static func id<Entity>() -> Self where Value == ID<Entity> {
        Self(placeholder: ID(0)) { json throws(Misfit) in ID(try Conversion<Int64>.id().convert(json)) }
    }
}

extension Conversion where Value == Int64 {
    /// An id, for which there is one text only: otherwise two URLs would be of one record.
    static func id(from lowest: Int64 = .min) -> Self {
        Self(placeholder: lowest) { json throws(Misfit) in
            try json.integer(in: lowest ... .max, JSON.id(parsing:in:))
        }
    }
}

extension JSON {
    /// - Parameter parse: Reads what was sent as text.
    fileprivate func integer(
        in range: ClosedRange<Int64>, _ parse: (String, ClosedRange<Int64>) throws(Misfit) -> Int64
    ) throws(Misfit) -> Int64 {
        let integer: Int64
        switch self {
        case .integer(let value): integer = value
        case .bool(let value): integer = value ? 1 : 0
        case .string(let text): integer = try parse(text, range)
        case .number(let value):
            // 2^63 itself is refused on either side: an integer beyond 64 bits may have been rounded to it.
            guard value > -0x1p63 else { throw .tooLow(range.lowerBound) }
            guard value < 0x1p63 else { throw .tooHigh(range.upperBound) }
            guard let exact = Int64(exactly: value) else { throw .fraction }
            integer = exact
        case .null, .array, .object: throw .noInteger
        }
        guard integer >= range.lowerBound else { throw .tooLow(range.lowerBound) }
        guard integer <= range.upperBound else { throw .tooHigh(range.upperBound) }
        return integer
    }

    /// Reads digits with an optional sign, white space around, single underscores between and zeros as a fraction.
    fileprivate static func integer(parsing text: String, in range: ClosedRange<Int64>) throws(Misfit) -> Int64 {
        if let integer = Int64(text) { return integer }
        guard text.utf8.count <= 4300 else { throw .oversizedInteger }
        let scalars = text.unicodeScalars
        let start = scalars.firstIndex { !$0.properties.isWhitespace } ?? scalars.endIndex
        let end = scalars.lastIndex { !$0.properties.isWhitespace }.map(scalars.index(after:)) ?? start
        let number = text.utf8[start..<end]
        let sign = number.prefix(1).filter { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        let whole = number.dropFirst(sign.count).prefix { $0 != UInt8(ascii: ".") }
        let fraction = number.dropFirst(sign.count + whole.count)
        let groups = whole.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard groups.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) }),
            fraction.count != 1, fraction.dropFirst().allSatisfy({ $0 == UInt8(ascii: "0") })
        else { throw .unreadableInteger }
        if let integer = Int64(String(decoding: sign + groups.joined(), as: UTF8.self)) { return integer }
        if sign.first == UInt8(ascii: "-") {
            throw range.lowerBound == .min ? .oversizedInteger : .tooLow(range.lowerBound)
        }
        throw range.upperBound == .max ? .oversizedInteger : .tooHigh(range.upperBound)
    }

    /// Reads digits without leading zeros, after a minus sign if need be, and nothing else.
    fileprivate static func id(parsing text: String, in range: ClosedRange<Int64>) throws(Misfit) -> Int64 {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.first != UInt8(ascii: "0") || text == "0", digits.allSatisfy(isDigit) else {
            throw .unreadableInteger
        }
        guard let integer = Int64(text) else { throw .oversizedInteger }
        return integer
    }
}

/// Reads the fields of a body, or of an object in it, and notes every fault.
///
/// Where there is a fault the value handed out stands for nothing: it is not to be used before ``faults`` was seen
/// to be empty.
struct Fields {
    private(set) var faults: Faults
    private let location: [Fault.Step]
    /// Without an object to read there is one fault, and none for each field.
    private let members: [JSON.Member]?

    /// - Parameters:
    ///   - value: What should be an object; `nil` if nothing was sent.
    ///   - faults: Those found before.
    init(_ value: JSON?, at location: [Fault.Step], after faults: Faults = Faults()) {
        self.location = location
        self.faults = faults
        if case .object(let members) = value {
            self.members = members
        } else {
            members = nil
            self.faults.append(Fault(location: location, misfit: value == nil ? .missing : .noObject))
        }
    }

    /// A field that must be there and not be null. With a default value it may be absent.
    mutating func required<T>(_ name: String, _ conversion: Conversion<T>, default value: T? = nil) -> T {
        guard let members else { return conversion.placeholder }
        do throws(Misfit) {
            // Of several with one name the last counts, as in Python.
            if let member = members.last(where: { $0.name.hasBytes(of: name) }) {
                return try conversion.convert(member.value)
            }
            guard let value else { throw .missing }
            return value
        } catch {
            faults.append(Fault(location: location + [.name(name)], misfit: error))
            return conversion.placeholder
        }
    }

    /// A field that may be absent or null.
    mutating func optional<T>(_ name: String, _ conversion: Conversion<T>) -> T? {
        let orNull = Conversion<T?>(placeholder: nil) { json throws(Misfit) in
            json == .null ? nil : try conversion.convert(json)
        }
        return required(name, orNull, default: .some(nil))
    }

    /// A required list of objects. Where there are too many faults the rest of it is not read.
    mutating func list<T>(_ name: String, upTo limit: Int, _ read: (inout Fields) -> T) -> [T] {
        let array = Conversion<[JSON]>(placeholder: []) { json throws(Misfit) in
            guard case .array(let elements) = json else { throw .noList }
            guard elements.count <= limit else { throw .tooMany(elements.count, limit: limit) }
            return elements
        }
        var values: [T] = []
        for (index, element) in required(name, array).enumerated() {
            if faults.isOverfull { break }
            var fields = Fields(element, at: location + [.name(name), .index(index)], after: faults)
            values.append(read(&fields))
            faults = fields.faults
        }
        return values
    }
}

extension String {
    /// Whether the bytes are the same. To compare characters, of which some are equal that differ in their bytes, can
    /// take a hundred times as long.
    fileprivate func hasBytes(of other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
