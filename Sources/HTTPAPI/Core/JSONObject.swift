/// An object whose members are declared once, to be written and to be described.
protocol JSONObject: JSONEncodable {
    /// Its name among the schemas of the description.
    static var schemaName: String { get }
    /// What it is.
    static var words: String? { get }

    /// Visits the members in the order in which they are written.
    static func visitMembers(_ visitor: inout some MemberVisitor<Self>)
}

extension JSONObject {
    static var words: String? { nil }

    static var schema: Schema { .object(schemaName, words, properties) }

    static var properties: [Schema.Property] {
        var describer = MemberDescriber<Self>()
        visitMembers(&describer)
        return describer.properties
    }

    func write(to json: inout JSONWriter) {
        json.bytes.append(UInt8(ascii: "{"))
        writeMembers(to: &json)
        json.bytes.append(UInt8(ascii: "}"))
    }

    fileprivate func writeMembers(to json: inout JSONWriter) {
        var writer = MemberWriter(object: self, json: JSONWriter())
        swap(&writer.json, &json)
        Self.visitMembers(&writer)
        swap(&writer.json, &json)
    }
}

/// What is done with each member of an object: it is written or described.
///
/// Generic and not a list of closures, so that the compiler makes of it the code that one would write by hand.
protocol MemberVisitor<Object> {
    associatedtype Object

    /// - Parameters:
    ///   - name: Written as it is, so nothing in it may need an escape.
    ///   - words: What it means.
    ///   - keywords: Of its schema, beside those of the value's type.
    mutating func member<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String?, _ keywords: @autoclosure () -> JSON,
        value: (Object) -> Value)

    /// A member that is left out where there is no value.
    mutating func memberIfPresent<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String?, value: (Object) -> Value?)

    /// The members of an object among those of this one.
    mutating func members<Part: JSONObject>(_ part: (Object) -> Part)
}

extension MemberVisitor {
    mutating func member<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String? = nil, value: (Object) -> Value
    ) {
        member(name, words(), [:], value: value)
    }
}

private struct MemberWriter<Object>: MemberVisitor {
    let object: Object
    var json: JSONWriter

    mutating func member<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String?, _ keywords: @autoclosure () -> JSON,
        value: (Object) -> Value
    ) {
        json.begin(name)
        value(object).write(to: &json)
    }

    mutating func memberIfPresent<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String?, value: (Object) -> Value?
    ) {
        guard let value = value(object) else { return }
        json.begin(name)
        value.write(to: &json)
    }

    mutating func members<Part: JSONObject>(_ part: (Object) -> Part) {
        part(object).writeMembers(to: &json)
    }
}

private struct MemberDescriber<Object>: MemberVisitor {
    private(set) var properties: [Schema.Property] = []

    mutating func member<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String?, _ keywords: @autoclosure () -> JSON,
        value: (Object) -> Value
    ) {
        properties.append(("\(name)", Value.schema.described(words(), keywords()), true))
    }

    mutating func memberIfPresent<Value: JSONEncodable>(
        _ name: StaticString, _ words: @autoclosure () -> String?, value: (Object) -> Value?
    ) {
        properties.append(("\(name)", Value.schema.described(words()), false))
    }

    mutating func members<Part: JSONObject>(_ part: (Object) -> Part) {
        properties += Part.properties
    }
}
