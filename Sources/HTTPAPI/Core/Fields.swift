import Model

/// What is read from an object in a body, each of its fields declared once, to be read and to be described.
protocol JSONReadable {
    /// Its name among the schemas of the description.
    static var schemaName: String { get }
    /// What it is.
    static var words: String? { get }

    /// Reads each field. Where one has a fault a placeholder stands for it, and ``Input`` lets nothing out.
    init(_ fields: inout Fields)
}

extension JSONReadable {
    static var words: String? { nil }

    static var bodySchema: Schema {
        var fields = Fields.describing
        _ = Self(&fields)
        return .object(schemaName, words, fields.properties)
    }
}

/// Reads the fields of a body, or of an object in it, and notes every fault; or describes them.
struct Fields {
    private(set) var faults: Faults
    private let location: Location
    /// Without an object to read there is one fault, and none for each field.
    private let members: [JSON.Member]?
    private let isDescribing: Bool
    private(set) var properties: [Schema.Property] = []

    /// Gathers descriptions, and finds no faults.
    static var describing: Fields { Fields() }

    private init() {
        faults = Faults()
        location = []
        members = nil
        isDescribing = true
    }

    /// - Parameters:
    ///   - value: What should be an object; `nil` if nothing was sent.
    ///   - faults: Those found before.
    init(_ value: JSON?, at location: Location, after faults: Faults = Faults()) {
        self.location = location
        self.faults = faults
        isDescribing = false
        if case .object(let members) = value {
            self.members = members
        } else {
            members = nil
            self.faults.append(Fault(location: location, misfit: value == nil ? .missing : .noObject))
        }
    }

    /// A field that must be there and not be null.
    mutating func required<T>(
        _ name: String, _ conversion: Conversion<T>, _ words: @autoclosure () -> String? = nil
    ) -> T {
        if isDescribing { describe(name, conversion.schema(), words(), isRequired: true) }
        return read(name, conversion, absent: nil)
    }

    /// A field that may be absent but not null.
    mutating func required<T: JSONEncodable>(
        _ name: String, _ conversion: Conversion<T>, default value: T, _ words: @autoclosure () -> String? = nil
    ) -> T {
        if isDescribing { describe(name, conversion.schema(), words(), ["default": JSON(of: value)]) }
        return read(name, conversion, absent: value)
    }

    /// A field that may be absent or null.
    mutating func optional<T>(
        _ name: String, _ conversion: Conversion<T>, _ words: @autoclosure () -> String? = nil
    ) -> T? {
        if isDescribing { describe(name, conversion.schema().orNull, words()) }
        let orNull = Conversion<T?>(placeholder: nil, schema: conversion.schema) { json throws(Misfit) in
            if case .null = json { nil } else { try conversion.convert(json) }
        }
        return read(name, orNull, absent: .some(nil))
    }

    /// A required list of objects. Where there are too many faults the rest of it is not read.
    mutating func list<Element: JSONReadable>(_ name: String, of: Element.Type, upTo limit: Int) -> [Element] {
        objects(required(name, .elements(Element.bodySchema, in: 0...limit)), at: name)
    }

    /// A list of objects that may be absent or null.
    mutating func optionalList<Element: JSONReadable>(
        _ name: String, of: Element.Type, upTo limit: Int, _ words: @autoclosure () -> String
    ) -> [Element]? {
        optional(name, .elements(Element.bodySchema, in: 0...limit), words()).map { objects($0, at: name) }
    }

    private mutating func objects<Element: JSONReadable>(_ elements: [JSON], at name: String) -> [Element] {
        var values: [Element] = []
        for (index, element) in elements.enumerated() {
            if faults.isOverfull { break }
            var fields = Fields(element, at: location + [.name(name), .index(index)], after: faults)
            values.append(Element(&fields))
            faults = fields.faults
        }
        return values
    }

    /// A required list of objects each of which is refused by itself.
    mutating func entries<Element: JSONReadable>(
        _ name: String, of: Element.Type, in range: ClosedRange<Int>
    ) -> [Result<Element, Refusal>] {
        required(name, .elements(Element.bodySchema, in: range)).enumerated().map { index, element in
            var fields = Fields(element, at: location + [.name(name), .index(index)])
            let value = Element(&fields)
            return fields.faults.entries.isEmpty ? .success(value) : .failure(.invalid(fields.faults.entries))
        }
    }

    private mutating func describe(
        _ name: String, _ schema: Schema, _ words: String?, _ keywords: JSON = [:], isRequired: Bool = false
    ) {
        properties.append((name, schema.described(words, keywords), isRequired))
    }

    private mutating func read<T>(_ name: String, _ conversion: Conversion<T>, absent: T?) -> T {
        guard let members else { return conversion.placeholder }
        do throws(Misfit) {
            // Of several with one name the last counts, as in Python.
            if let member = members.last(where: { $0.name.hasBytes(of: name) }) {
                return try conversion.convert(member.value)
            }
            guard let absent else { throw .missing }
            return absent
        } catch {
            faults.append(Fault(location: location + [.name(name)], misfit: error))
            return conversion.placeholder
        }
    }
}
