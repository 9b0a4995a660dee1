import CRM
import Model
import Testing

@testable import HTTPAPI

/// What pydantic 2.13 finds in a body whose model has the contract's fields and limits.
struct Case: Sendable, CustomTestStringConvertible {
    enum Model: Sendable {
        case newOperator, operatorPatch, newSource, sourcePatch, weights, newContact, contactPatch
    }

    let model: Model
    let body: String
    /// Location and type of each fault.
    let faults: [String]

    init(_ model: Model, _ body: String, _ faults: [String]) {
        self.model = model
        self.body = body
        self.faults = faults
    }

    var testDescription: String { "\(model) \(body)" }

    /// `<255>` stands for a text of 255 characters, each of two bytes.
    static let all = [
        Case(.newOperator, "{}", ["body.name missing"]),
        Case(.newOperator, "null", ["body model_attributes_type"]),
        Case(.newOperator, "[]", ["body model_attributes_type"]),
        Case(.newOperator, #""x""#, ["body model_attributes_type"]),
        Case(.newOperator, "1", ["body model_attributes_type"]),
        Case(.newOperator, #"{"name":null}"#, ["body.name string_type"]),
        Case(.newOperator, #"{"name":1}"#, ["body.name string_type"]),
        Case(.newOperator, #"{"name":["a"]}"#, ["body.name string_type"]),
        Case(.newOperator, #"{"name":"a","name":true}"#, ["body.name string_type"]),
        Case(.newOperator, #"{"name":"<255>"}"#, []),
        Case(.newOperator, #"{"name":"<256>"}"#, ["body.name string_too_long"]),
        Case(
            .newOperator, #"{"name":"a","is_active":null,"max_load":null}"#,
            [
                "body.is_active bool_type", "body.max_load int_type",
            ]),
        Case(
            .newOperator, #"{"is_active":[],"max_load":{}}"#,
            [
                "body.name missing", "body.is_active bool_type", "body.max_load int_type",
            ]),
        Case(.newOperator, #"{"name":"a","is_active":2}"#, ["body.is_active bool_parsing"]),
        Case(.newOperator, #"{"name":"a","is_active":-1}"#, ["body.is_active bool_parsing"]),
        Case(.newOperator, #"{"name":"a","is_active":1.5}"#, ["body.is_active bool_type"]),
        Case(.newOperator, #"{"name":"a","is_active":"2"}"#, ["body.is_active bool_parsing"]),
        Case(.newOperator, #"{"name":"a","is_active":""}"#, ["body.is_active bool_parsing"]),
        Case(.newOperator, #"{"name":"a","is_active":" true "}"#, ["body.is_active bool_parsing"]),
        Case(.newOperator, #"{"name":"a","is_active":"1.0"}"#, ["body.is_active bool_parsing"]),
        Case(.newOperator, #"{"name":"a","is_active":{}}"#, ["body.is_active bool_type"]),
        Case(.newOperator, #"{"name":"a","max_load":0}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":-1}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":2147483647}"#, []),
        Case(.newOperator, #"{"name":"a","max_load":2147483648}"#, ["body.max_load less_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":99999999999999999999}"#, ["body.max_load less_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":-99999999999999999999}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":1.5}"#, ["body.max_load int_from_float"]),
        Case(.newOperator, #"{"name":"a","max_load":0.0}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":false}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":"0"}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":"-1"}"#, ["body.max_load greater_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":"1."}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":".0"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"1.5"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"1e2"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"0x1"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"1_"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"_1"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"+"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"- 1"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":""}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"a"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"١"}"#, ["body.max_load int_parsing"]),
        Case(.newOperator, #"{"name":"a","max_load":"99999999999999999999"}"#, ["body.max_load less_than_equal"]),
        Case(.newOperator, #"{"name":"a","max_load":[1]}"#, ["body.max_load int_type"]),
        Case(.operatorPatch, "{}", []),
        Case(.operatorPatch, #"{"name":null,"is_active":null,"max_load":null}"#, []),
        Case(
            .operatorPatch, #"{"name":1,"is_active":"maybe","max_load":0}"#,
            [
                "body.name string_type", "body.is_active bool_parsing", "body.max_load greater_than_equal",
            ]),
        Case(.operatorPatch, #"{"name":"<256>"}"#, ["body.name string_too_long"]),
        Case(.newSource, #"{"name":"a","description":null}"#, []),
        Case(.newSource, #"{"name":"a","description":"<4096>"}"#, []),
        Case(.newSource, #"{"name":"a","description":"<4097>"}"#, ["body.description string_too_long"]),
        Case(.newSource, #"{"description":1}"#, ["body.name missing", "body.description string_type"]),
        Case(.sourcePatch, "{}", []),
        Case(.sourcePatch, #"{"name":null,"description":null}"#, []),
        Case(
            .sourcePatch, #"{"name":"<256>","description":false}"#,
            [
                "body.name string_too_long", "body.description string_type",
            ]),
        Case(.weights, "{}", ["body.operator_weights missing"]),
        Case(.weights, #"{"operator_weights":null}"#, ["body.operator_weights list_type"]),
        Case(.weights, #"{"operator_weights":{}}"#, ["body.operator_weights list_type"]),
        Case(.weights, #"{"operator_weights":"x"}"#, ["body.operator_weights list_type"]),
        Case(.weights, #"{"operator_weights":[]}"#, []),
        Case(
            .weights, #"{"operator_weights":[1,null,{},[]]}"#,
            [
                "body.operator_weights.0 model_attributes_type", "body.operator_weights.1 model_attributes_type",
                "body.operator_weights.2.operator_id missing", "body.operator_weights.3 model_attributes_type",
            ]),
        Case(.weights, #"{"operator_weights":[{"operator_id":1,"source_id":null}]}"#, []),
        Case(
            .weights, #"{"operator_weights":[{"operator_id":1,"weight":null}]}"#,
            [
                "body.operator_weights.0.weight int_type"
            ]),
        Case(
            .weights, #"{"operator_weights":[{"operator_id":1},{"operator_id":"a","source_id":"b","weight":0}]}"#,
            [
                "body.operator_weights.1.operator_id int_parsing", "body.operator_weights.1.source_id int_parsing",
                "body.operator_weights.1.weight greater_than_equal",
            ]),
        Case(
            .weights, #"{"operator_weights":[{"operator_id":null,"weight":2147483648}]}"#,
            [
                "body.operator_weights.0.operator_id int_type", "body.operator_weights.0.weight less_than_equal",
            ]),
        Case(.newContact, "{}", ["body.source_id missing"]),
        Case(.newContact, #"{"source_id":null}"#, ["body.source_id int_type"]),
        Case(.newContact, #"{"source_id":"x"}"#, ["body.source_id int_parsing"]),
        Case(.newContact, #"{"source_id":1,"lead_external_id":null,"lead_phone":null,"lead_email":null}"#, []),
        Case(.newContact, #"{"source_id":1,"lead_name":null,"message":null}"#, []),
        Case(.newContact, #"{"source_id":1,"lead_external_id":"<255>","lead_phone":"<64>","lead_email":"<320>"}"#, []),
        Case(.newContact, #"{"source_id":1,"lead_name":"<255>","message":"<65536>"}"#, []),
        Case(
            .newContact, #"{"source_id":1,"lead_external_id":"<256>","lead_phone":"<65>","lead_email":"<321>"}"#,
            [
                "body.lead_external_id string_too_long", "body.lead_phone string_too_long",
                "body.lead_email string_too_long",
            ]),
        Case(
            .newContact, #"{"source_id":1,"lead_name":"<256>","message":"<65537>"}"#,
            [
                "body.lead_name string_too_long", "body.message string_too_long",
            ]),
        Case(
            .newContact, #"{"source_id":[],"lead_external_id":1,"lead_phone":79001234567,"lead_email":{}}"#,
            [
                "body.source_id int_type", "body.lead_external_id string_type", "body.lead_phone string_type",
                "body.lead_email string_type",
            ]),
        Case(
            .newContact, #"{"source_id":1,"lead_name":true,"message":[]}"#,
            [
                "body.lead_name string_type", "body.message string_type",
            ]),
        Case(.newContact, #"{"source_id":9223372036854775808}"#, ["body.source_id less_than_equal"]),
        Case(.newContact, #"{"source_id":-9223372036854775809}"#, ["body.source_id greater_than_equal"]),
        Case(.contactPatch, "{}", []),
        Case(.contactPatch, #"{"status":null,"operator_id":null,"message":null}"#, []),
        Case(.contactPatch, #"{"status":"active"}"#, []),
        Case(.contactPatch, #"{"status":"Active"}"#, ["body.status literal_error"]),
        Case(.contactPatch, #"{"status":1}"#, ["body.status literal_error"]),
        Case(.contactPatch, #"{"status":[]}"#, ["body.status literal_error"]),
        Case(
            .contactPatch, #"{"status":"","operator_id":"","message":0}"#,
            [
                "body.status literal_error", "body.operator_id int_parsing", "body.message string_type",
            ]),
    ]
}

@Suite struct ValidationTests {
    @Test("A body has the faults that pydantic finds in it", arguments: Case.all)
    func faultsOfBodies(_ expected: Case) throws {
        let body = expected.body.replacing(/<(\d+)>/) { String(repeating: "я", count: Int($0.1)!) }
        var fields = Fields(try json(body), at: [.name("body")])
        switch expected.model {
        case .newOperator: _ = NewOperator(&fields)
        case .operatorPatch: _ = OperatorPatch(&fields)
        case .newSource: _ = NewSource(&fields)
        case .sourcePatch: _ = SourcePatch(&fields)
        case .weights: _ = DistributionUpdate(&fields)
        case .newContact: _ = NewContact(&fields)
        case .contactPatch: _ = ContactPatch(&fields)
        }
        #expect(fields.faults.entries.map(\.summary) == expected.faults)
    }

    @Test(
        "A fault is worded as by pydantic",
        arguments: [
            (Misfit.missing, "missing", "Field required"),
            (.noObject, "model_attributes_type", "Input should be a valid dictionary or object to extract fields from"),
            (.noList, "list_type", "Input should be a valid list"),
            (.noString, "string_type", "Input should be a valid string"),
            (.noBoolean, "bool_type", "Input should be a valid boolean"),
            (.unreadableBoolean, "bool_parsing", "Input should be a valid boolean, unable to interpret input"),
            (.noInteger, "int_type", "Input should be a valid integer"),
            (
                .unreadableInteger, "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer"
            ),
            (
                .oversizedInteger, "int_parsing_size",
                "Unable to parse input string as an integer, exceeded maximum size"
            ),
            (.fraction, "int_from_float", "Input should be a valid integer, got a number with a fractional part"),
            (.tooLow(1), "greater_than_equal", "Input should be greater than or equal to 1"),
            (.tooHigh(2_147_483_647), "less_than_equal", "Input should be less than or equal to 2147483647"),
            (.tooLong(255), "string_too_long", "String should have at most 255 characters"),
            (
                .tooMany(10_001, limit: 10_000), "too_long",
                "List should have at most 10000 items after validation, not 10001"
            ),
            (.noWord(of: ["active", "closed"]), "literal_error", "Input should be 'active' or 'closed'"),
            (.nulCharacter, "value_error", "Value error, text must not contain the character U+0000"),
            (.unknownParameter, "extra_forbidden", "Extra inputs are not permitted"),
            (
                .tooManyFaults, "too_many_errors",
                "More is wrong with the request than the first 100 faults, and is not listed"
            ),
        ])
    func wording(_ misfit: Misfit, type: String, message: String) {
        #expect(misfit.type == type)
        #expect(misfit.message == message)
    }

    @Test("A bound in a message is the one that was passed")
    func boundsInMessages() throws {
        let body = try json(
            #"{"operator_weights":[{"operator_id":1,"weight":0},{"operator_id":1,"weight":2147483648}]}"#)
        var fields = Fields(body, at: [.name("body")])
        _ = DistributionUpdate(&fields)
        #expect(fields.faults.entries.map(\.misfit) == [.tooLow(1), .tooHigh(2_147_483_647)])
    }

    @Test(
        "What is plainly an integer is read as one",
        arguments: [
            ("1", 1), ("-0", 0), ("1.0", 1), ("1e2", 100), ("-3.0", -3), ("1e-400", 0),
            ("4611686018427387904.0", 1 << 62),
            ("9223372036854775807", .max), ("-9223372036854775808", .min), ("true", 1), ("false", 0),
            (#""1""#, 1), (#"" 1 ""#, 1), (#""1\n""#, 1), (#""\u00a01\u3000""#, 1), (#""+1""#, 1), (#""-1""#, -1),
            (#""01""#, 1), (#""-00_1""#, -1), (#""1.00""#, 1), (#""1_000""#, 1000), (#""1_0_0.00""#, 100),
            (#""0_0""#, 0), (#""-0.0""#, 0), (#""9223372036854775807""#, .max), (#""-9223372036854775808""#, .min),
        ] as [(String, Int64)])
    func laxIntegers(_ text: String, expected: Int64) throws {
        #expect(try Conversion.integer(in: .min ... .max).convert(json(text)) == expected)
    }

    @Test(
        "What is no integer, or none of 64 bits, is a fault",
        arguments: [
            (#""9223372036854775808""#, .oversizedInteger), (#""-9223372036854775809""#, .oversizedInteger),
            ("9223372036854775808", .tooHigh(.max)), ("-9223372036854775809", .tooLow(.min)),
            ("1e20", .tooHigh(.max)), ("-1e20", .tooLow(.min)), ("1e400", .tooHigh(.max)), ("-1e400", .tooLow(.min)),
            ("9223372036854775808.0", .tooHigh(.max)), ("-9223372036854775808.0", .tooLow(.min)), ("0.1", .fraction),
            (#""1__0""#, .unreadableInteger), (#""1.0_0""#, .unreadableInteger), (#""1.0.0""#, .unreadableInteger),
            (#""+-1""#, .unreadableInteger), (#""1_.0""#, .unreadableInteger), (#"" ""#, .unreadableInteger),
            (#""1 1""#, .unreadableInteger), (#""1.""#, .unreadableInteger), (#""--1""#, .unreadableInteger),
            (#""+99999999999999999999""#, .oversizedInteger), (#"" -99_999_999_999_999_999_999.0""#, .oversizedInteger),
            (#""99999999999999999999x""#, .unreadableInteger), (#""１""#, .unreadableInteger),
            (#""1\u0000""#, .unreadableInteger),
        ] as [(String, Misfit)])
    func noIntegers(_ text: String, expected: Misfit) throws {
        #expect(throws: expected) { try Conversion<Int64>.integer(in: .min ... .max).convert(json(text)) }
    }

    @Test("An id has one text, and is otherwise read as any integer")
    func idTexts() throws {
        for (text, expected) in [
            ("1", 1), ("1.0", 1), ("true", 1), (#""0""#, 0), (#""15""#, 15), (#""-15""#, -15),
            (#""9223372036854775807""#, .max), (#""-9223372036854775808""#, .min),
        ] as [(String, Int64)] {
            #expect(try Conversion<SourceID>.id().convert(json(text)).rawValue == expected, "\(text)")
        }
        for text in ["", "-", "+1", " 1", "1 ", "01", "-0", "00", "-01", "1_0", "1.0", "1e2", "x", "１", "--1"] {
            #expect(throws: Misfit.unreadableInteger, "\(text)") {
                try Conversion<SourceID>.id().convert(.string(text))
            }
        }
        for text in ["9223372036854775808", "-9223372036854775809", String(repeating: "9", count: 1 << 20)] {
            #expect(throws: Misfit.oversizedInteger) { try Conversion<SourceID>.id().convert(.string(text)) }
        }
    }

    @Test("An integer of a million digits is a fault, at once")
    func endlessInteger() {
        let digits = JSON.string(String(repeating: "9", count: 1 << 20) + "x")
        #expect(throws: Misfit.oversizedInteger) { try Conversion<Int32>.count.convert(digits) }
    }

    @Test("What is plainly true or false is read as that")
    func laxBooleans() throws {
        for text in ["true", "1", "1.0", "1e0", #""1""#, #""true""#, #""TRUE""#, #""t""#, #""yes""#, #""Y""#, #""On""#]
        {
            #expect(try Conversion.boolean.convert(json(text)), "\(text)")
        }
        for text in ["false", "0", "-0", "0.0", #""0""#, #""False""#, #""F""#, #""no""#, #""n""#, #""OFF""#] {
            #expect(try !Conversion.boolean.convert(json(text)), "\(text)")
        }
    }

    @Test("A text with the character U+0000 is a fault wherever it stands")
    func nulCharacter() throws {
        var fields = Fields(
            try json(#"{"source_id":1,"lead_name":"\u0000","message":"a\u0000b"}"#), at: [.name("body")])
        _ = NewContact(&fields)
        #expect(fields.faults.entries.map(\.summary) == ["body.lead_name value_error", "body.message value_error"])
    }

    @Test("A distribution may name 10,000 operators and no more")
    func tooManyWeights() throws {
        for (count, faults) in [(10_000, []), (10_001, ["body.operator_weights too_long"])] {
            let weights = Array(repeating: #"{"operator_id":1}"#, count: count).joined(separator: ",")
            var fields = Fields(try json(#"{"operator_weights":[\#(weights)]}"#), at: [.name("body")])
            _ = DistributionUpdate(&fields)
            #expect(fields.faults.entries.map(\.summary) == faults)
        }
    }

    @Test("A hundred faults are listed, the next says that there are more, and then nothing is read")
    func tooManyFaults() throws {
        for (weights, listed) in [(99, 99), (100, 100), (101, 101), (10_000, 101)] {
            let body = try json(
                #"{"operator_weights":[\#(Array(repeating: "{}", count: weights).joined(separator: ","))]}"#)
            var fields = Fields(body, at: [.name("body")])
            let read = fields.list("operator_weights", of: NewWeight.self, upTo: 10_000).count
            let summaries = fields.faults.entries.map(\.summary)
            #expect(summaries.count == listed)
            #expect(summaries.prefix(100).last == "body.operator_weights.\(min(weights, 100) - 1).operator_id missing")
            #expect((summaries.last == "body too_many_errors") == (weights > 100))
            #expect(read == min(weights, 101))
        }
    }

    @Test("A member's name is its bytes, not what they look like")
    func namesAreBytes() throws {
        var fields = Fields(try json(#"{"\u00e9":1,"e\u0301":2}"#), at: [])
        #expect(fields.required("\u{e9}", Conversion<Int64>.integer(in: 0...9)) == 1)
        #expect(fields.required("e\u{301}", Conversion<Int64>.integer(in: 0...9)) == 2)
    }

    @Test("No body at all is one missing field")
    func noBody() {
        var fields = Fields(nil, at: [.name("body")])
        _ = NewContact(&fields)
        #expect(fields.faults.entries.map(\.summary) == ["body missing"])
    }
}

extension Fault {
    /// Location and type, for example `body.max_load int_type`.
    var summary: String {
        let steps = location.map { step in
            switch step {
            case .name(let name): name
            case .index(let index): String(index)
            }
        }
        return "\(steps.joined(separator: ".")) \(misfit.type)"
    }
}

/// Parses a document.
func json(_ text: String) throws -> JSON {
    var text = text
    return try text.withUTF8 { try JSON(parsing: UnsafeRawBufferPointer($0)) }
}
