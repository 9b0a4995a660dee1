/// A JSON Schema (draft 2020-12, as OpenAPI 3.1 has it) of what is read or written.
struct Schema: Sendable {
    /// Its name among the components; without one it stands wherever it is used.
    let name: String?
    private(set) var keywords: [JSON.Member]
    /// Those that it refers to.
    private(set) var uses: [Schema] = []

    /// A member of an object.
    typealias Property = (name: String, schema: Schema, isRequired: Bool)

    init(_ keywords: JSON, named name: String? = nil, uses: [Schema] = []) {
        self.name = name
        self.keywords = keywords.members
        self.uses = uses
    }

    /// What stands where it is used.
    var json: JSON { name.map { ["$ref": .string("#/components/schemas/\($0)")] } ?? .object(keywords) }

    /// What its name stands for.
    var definition: JSON { .object(keywords) }

    /// The named schemas that this one is made of, itself included.
    var components: [Schema] { uses.flatMap(\.components) + (name == nil ? [] : [self]) }

    /// The same with keywords beside it, which win.
    func adding(_ keywords: JSON) -> Schema {
        let added = keywords.members
        let kept = json.members.filter { member in !added.contains { $0.name == member.name } }
        return Schema(.object(kept + added), uses: name == nil ? uses : [self])
    }

    /// The same where it has a meaning of its own.
    func described(_ words: String?, _ keywords: JSON = [:]) -> Schema {
        let added = words.map { keywords.merging(["description": .string($0)]) } ?? keywords
        return added.members.isEmpty ? self : adding(added)
    }

    /// The same, or null.
    var orNull: Schema {
        guard name == nil, let type = keywords.first(where: { $0.name == "type" }) else {
            return Schema(["anyOf": [json, ["type": "null"]]], uses: [self])
        }
        return Schema(
            .object([JSON.Member(name: "type", value: [type.value, "null"])] + keywords.filter { $0.name != "type" }),
            uses: uses)
    }
}

extension Schema {
    /// - Parameter limit: The most characters.
    static func text(upTo limit: Int) -> Schema {
        let text = Schema(["type": "string", "pattern": "^[^\\u0000]*$"])
        return limit == .max ? text : text.adding(["maxLength": .integer(Int64(limit))])
    }

    /// An integer with the bounds that are tighter than its type's.
    static func integer<Integer: FixedWidthInteger>(in range: ClosedRange<Integer>) -> Schema {
        var schema = Schema(["type": "integer"])
        if Integer.self != Int.self { schema = schema.adding(["format": .string("int\(Integer.bitWidth)")]) }
        if range.lowerBound > .min { schema = schema.adding(["minimum": .integer(Int64(range.lowerBound))]) }
        if range.upperBound < .max || Integer.self == Int32.self {
            schema = schema.adding(["maximum": .integer(Int64(range.upperBound))])
        }
        return schema
    }

    static func any(of schemas: [Schema]) -> Schema {
        schemas.count == 1 ? schemas[0] : Schema(["anyOf": .array(schemas.map(\.json))], uses: schemas)
    }

    static func array(of elements: Schema) -> Schema {
        Schema(["type": "array", "items": elements.json], uses: [elements])
    }

    static func array(of elements: Schema, in range: ClosedRange<Int>) -> Schema {
        let array = array(of: elements).adding(["maxItems": .integer(Int64(range.upperBound))])
        return range.lowerBound == 0 ? array : array.adding(["minItems": .integer(Int64(range.lowerBound))])
    }

    /// - Parameter properties: In the order of the document.
    static func object(_ name: String, _ words: String?, _ properties: [Property]) -> Schema {
        let required = properties.filter(\.isRequired).map { JSON.string($0.name) }
        var object: [JSON.Member] = [JSON.Member(name: "type", value: "object")]
        if let words { object.append(JSON.Member(name: "description", value: .string(words))) }
        object.append(
            JSON.Member(
                name: "properties",
                value: .object(properties.map { JSON.Member(name: $0.name, value: $0.schema.json) })))
        if !required.isEmpty { object.append(JSON.Member(name: "required", value: .array(required))) }
        return Schema(.object(object), named: name, uses: properties.map(\.schema))
    }

    static let id = integer(in: Int64.min ... .max).named("ID", "The id of a record.", example: 1)
    static let count = integer(in: 1...Int32.max).named("Count", "A number of at least 1.", example: 10)
    static let priority = integer(in: 0...9).named("Priority", "How soon a contact that waits is let in.", example: 5)
    static let flag = Bool.schema.named("Flag", "Yes or no.", example: true)

    private func named(_ name: String, _ words: String, example: JSON) -> Schema {
        Schema(adding(["description": .string(words), "examples": [example]]).json, named: name)
    }

    /// The same for a parameter: of what bodies have lenient forms of (decision 12), none goes by its name.
    var forParameter: Schema {
        guard [Schema.id, .count, .flag].contains(where: { $0.name == name }) else { return self }
        return Schema(.object(keywords.filter { $0.name != "description" && $0.name != "examples" }))
    }
}

// So that a document can be written down in Swift as it is in JSON.
extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    init(stringLiteral text: String) { self = .string(text) }
    init(integerLiteral integer: Int64) { self = .integer(integer) }
    init(booleanLiteral flag: Bool) { self = .bool(flag) }
    init(arrayLiteral elements: JSON...) { self = .array(elements) }
    init(dictionaryLiteral members: (String, JSON)...) { self = .object(members.map(Member.init)) }

    /// The members of an object.
    var members: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }

    /// An object with the members of another behind its own, or in place of those with the same name.
    func merging(_ other: JSON) -> JSON {
        other.members.reduce(into: self) { merged, member in
            var members = merged.members
            if let index = members.firstIndex(where: { $0.name == member.name }) {
                members[index] = member
            } else {
                members.append(member)
            }
            merged = .object(members)
        }
    }
}
