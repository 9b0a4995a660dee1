/// Where something in a request stands, for example `["body", "operator_weights", 0, "weight"]`.
typealias Location = [Fault.Step]

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
    static let noTimestamp = Misfit(
        "datetime_parsing", "Input should be a time of RFC 3339 with its offset, as 2026-11-23T10:11:12Z")
    static let nulCharacter = Misfit("value_error", "Value error, text must not contain the character U+0000")

    /// None of the words that there are, of which there are two or more.
    static func noWord(of words: [String]) -> Misfit {
        let quoted = words.map { "'\($0)'" }
        return Misfit(
            "literal_error", "Input should be \(quoted.dropLast().joined(separator: ", ")) or \(quoted.last!)")
    }
    static func tooLow(_ bound: Int64) -> Misfit {
        Misfit("greater_than_equal", "Input should be greater than or equal to \(bound)")
    }
    static func tooHigh(_ bound: Int64) -> Misfit {
        Misfit("less_than_equal", "Input should be less than or equal to \(bound)")
    }
    static func tooLong(_ limit: Int) -> Misfit {
        Misfit("string_too_long", "String should have at most \(limit) characters")
    }
    static func tooFew(_ count: Int, least: Int) -> Misfit {
        Misfit("too_short", "List should have at least \(least) item after validation, not \(count)")
    }
    static func tooMany(_ count: Int, limit: Int) -> Misfit {
        Misfit("too_long", "List should have at most \(limit) items after validation, not \(count)")
    }
}

/// One thing that is wrong with a request, and where.
struct Fault: Equatable {
    /// Of a body that is no JSON, with the offset of the byte.
    let location: Location
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
