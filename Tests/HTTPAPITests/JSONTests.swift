import Distribution
import Foundation
import Testing

@testable import HTTPAPI

@Suite struct JSONTests {
    @Test(
        "A document is read as what it says",
        arguments: [
            ("null", .null), ("true", .bool(true)), (" false\r\n\t", .bool(false)),
            ("0", .integer(0)), ("-0", .integer(0)), ("123", .integer(123)), ("-1", .integer(-1)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(0x1p63)), ("-9223372036854775809", .number(-0x1p63)),
            ("1.0", .number(1)), ("-0.5", .number(-0.5)), ("1E+2", .number(100)), ("1e-2", .number(0.01)),
            ("0e99999999999", .number(0)), ("1e400", .number(.infinity)), ("-1e99999999999", .number(-.infinity)),
            ("4.9e-324", .number(.leastNonzeroMagnitude)), ("1e-400", .number(0)),
            (#""""#, .string("")), (#""a""#, .string("a")), (#""Пётр 😀""#, .string("Пётр 😀")),
            (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{C}\n\r\t")),
            (#""\u0041\u00e9\u041F\uFFFF\u0000""#, .string("Aé\u{41F}\u{FFFF}\0")),
            (#""\ud83d\ude00\uD83D\uDE00!""#, .string("😀😀!")), (#""a\u0301""#, .string("a\u{301}")),
            ("\"\u{7F}\u{2028}\u{FEFF}\"", .string("\u{7F}\u{2028}\u{FEFF}")),
            ("[]", .array([])), ("[ ]", .array([])),
            ("[1 , [2],{}]", .array([.integer(1), .array([.integer(2)]), .object([])])),
            ("{}", .object([])), ("{ }", .object([])),
            (
                #"{"a":1,"":null , "a" : "x"}"#,
                .object([
                    .init(name: "a", value: .integer(1)), .init(name: "", value: .null),
                    .init(name: "a", value: .string("x")),
                ])
            ),
        ] as [(String, JSON)])
    func valid(_ text: String, expected: JSON) throws {
        #expect(try json(text) == expected)
    }

    @Test(
        "What is no document is refused where it stops being one",
        arguments: [
            ("", 0, "Expecting value"), ("  ", 2, "Expecting value"), ("nul", 0, "Expecting value"),
            ("nulL", 0, "Expecting value"), ("True", 0, "Expecting value"), ("NaN", 0, "Expecting value"),
            ("Infinity", 0, "Expecting value"), ("-Infinity", 1, "Expecting a digit"), ("'a'", 0, "Expecting value"),
            ("\u{FEFF}{}", 0, "Expecting value"), ("\u{A0}1", 0, "Expecting value"), ("/**/1", 0, "Expecting value"),
            ("1 2", 2, "Extra data"), ("{}x", 2, "Extra data"), ("[]]", 2, "Extra data"), ("1\0", 1, "Extra data"),
            ("nullx", 4, "Extra data"), ("01", 1, "Extra data"), ("1a", 1, "Extra data"), ("0x1", 1, "Extra data"),
            ("-", 1, "Expecting a digit"), ("+1", 0, "Expecting value"), (".5", 0, "Expecting value"),
            ("1.", 2, "Expecting a digit"), ("1.e1", 2, "Expecting a digit"), ("1e", 2, "Expecting a digit"),
            ("1e+", 3, "Expecting a digit"), ("-a", 1, "Expecting a digit"), ("1_0", 1, "Extra data"),
            ("[", 1, "Expecting value"), ("[1", 2, "Expecting ',' delimiter"), ("[1,", 3, "Expecting value"),
            ("[1,]", 3, "Expecting value"), ("[,1]", 1, "Expecting value"), ("[1 2]", 3, "Expecting ',' delimiter"),
            ("[1}", 2, "Expecting ',' delimiter"), ("]", 0, "Expecting value"),
            ("{", 1, "Expecting property name enclosed in double quotes"),
            ("{1:2}", 1, "Expecting property name enclosed in double quotes"),
            ("{a:2}", 1, "Expecting property name enclosed in double quotes"),
            (#"{"a"}"#, 4, "Expecting ':' delimiter"), (#"{"a":}"#, 5, "Expecting value"),
            (#"{"a":1"#, 6, "Expecting ',' delimiter"), (#"{"a":1 "b":2}"#, 7, "Expecting ',' delimiter"),
            (#"{"a":1,}"#, 7, "Expecting property name enclosed in double quotes"),
            (#"{"a":1,,"b":2}"#, 7, "Expecting property name enclosed in double quotes"),
            (#"{"a":1]"#, 6, "Expecting ',' delimiter"),
            (#"""#, 0, "Unterminated string starting at"), (#"["abc"#, 1, "Unterminated string starting at"),
            (#""\""#, 0, "Unterminated string starting at"),
            ("\"a\nb\"", 2, "Invalid control character at"), ("\"\0\"", 1, "Invalid control character at"),
            ("\"\t\"", 1, "Invalid control character at"), ("\"\u{1F}\"", 1, "Invalid control character at"),
            (#""\x""#, 1, #"Invalid \escape"#), (#""\"#, 1, #"Invalid \escape"#),
            (#""\U0041""#, 1, #"Invalid \escape"#),
            (#""\u12""#, 1, #"Invalid \uXXXX escape"#), (#""\u"#, 1, #"Invalid \uXXXX escape"#),
            (#""\u00g0""#, 1, #"Invalid \uXXXX escape"#), (#""\u+123""#, 1, #"Invalid \uXXXX escape"#),
            (#""\ud800""#, 1, "Unpaired surrogate"), (#""a\udc00""#, 2, "Unpaired surrogate"),
            (#""\ud800x""#, 1, "Unpaired surrogate"), (#""\ud800\n""#, 1, "Unpaired surrogate"),
            (#""\ud800\ud800""#, 1, "Unpaired surrogate"), (#""\ud83d\u0041""#, 1, "Unpaired surrogate"),
            (#""\ud83d\u12""#, 1, #"Invalid \uXXXX escape"#), (#""\ud83d"#, 1, "Unpaired surrogate"),
        ])
    func invalid(_ text: String, offset: Int, reason: String) {
        #expect(throws: JSONError(offset: offset, reason: reason)) { try json(text) }
    }

    @Test(
        "Bytes that are no UTF-8 are refused",
        arguments: [
            [0xFF], [0x80], [0xC3], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80],
        ] as [[UInt8]])
    func invalidUTF8(_ bytes: [UInt8]) {
        for prefix in ["", "a", "я", #"\n"#] {
            let document = Array("[\"\(prefix)".utf8) + bytes + Array("\"]".utf8)
            #expect(throws: JSONError(offset: 1, reason: "Invalid UTF-8")) { try parse(document) }
        }
        #expect(throws: JSONError(offset: 0, reason: "Expecting value")) { try parse(bytes) }
    }

    @Test("Arrays and objects nest 128 deep, and no attempt to nest deeper does harm")
    func nesting() throws {
        for (open, close) in [("[", "]"), (#"{"a":"#, "}"), (#" [ {"a" : "#, "}]")] {
            let levels = open.contains("[") && open.contains("{") ? 2 : 1
            let document = { (depth: Int) in
                String(repeating: open, count: depth / levels) + "1" + String(repeating: close, count: depth / levels)
            }
            _ = try json(document(128))
            for depth in [130, 10_000, 200_000] {
                let error = #expect(throws: JSONError.self) { try json(document(depth)) }
                #expect(error?.reason == "Nesting deeper than 128")
                #expect(throws: JSONError.self) { try json(String(repeating: open, count: depth)) }
            }
        }
        #expect(throws: JSONError(offset: 128, reason: "Nesting deeper than 128")) {
            try json(String(repeating: "[", count: 129) + String(repeating: "]", count: 129))
        }
        // Depth counts the arrays and objects that are open at one time, not all that were opened.
        _ = try json("[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]")
    }

    @Test("A document has no more than 65,536 arrays and objects, however small they are")
    func containers() throws {
        for container in ["[]", "{}"] {
            let document = { (count: Int) in
                "[" + Array(repeating: container, count: count - 1).joined(separator: ",") + "]"
            }
            _ = try json(document(65_536))
            let error = #expect(throws: JSONError.self) { try json(document(65_537)) }
            #expect(error?.reason == "More than 65536 arrays and objects")
        }
    }

    @Test("Strings and numbers of a mebibyte are read")
    func longValues() throws {
        for character in ["a", "я", "😀"] {
            let text = String(repeating: character, count: (1 << 20) / character.utf8.count)
            #expect(try json("\"\(text)\"") == .string(text))
        }
        #expect(try json(String(repeating: "9", count: 1 << 20)) == .number(.infinity))
        #expect(try json("0." + String(repeating: "0", count: 1 << 20)) == .number(0))
        let escaped = String(repeating: #"\u0416"#, count: 1 << 17)
        #expect(try json("\"\(escaped)\"") == .string(String(repeating: "Ж", count: 1 << 17)))
    }

    @Test("Random documents are read as Foundation reads them")
    func randomDocuments() throws {
        var random = SplitMix64(seed: 1)
        for _ in 0..<2000 {
            let text = randomDocument(depth: 4, using: &random)
            let ours = try Document(json(text))
            let theirs = try JSONDecoder().decode(Document.self, from: Data(text.utf8))
            #expect(ours == theirs, "\(text)")
        }
    }

    @Test("Random damage never crashes, and what is still accepted Foundation accepts too")
    func damagedDocuments() throws {
        var random = SplitMix64(seed: 2)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = Array(randomDocument(depth: 3, using: &random).utf8)
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                let index = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.insert(.random(in: 0...255, using: &random), at: index)
                case 1 where index < bytes.count: bytes.remove(at: index)
                case 2 where index < bytes.count:
                    bytes[index] = Array(#"{}[]",:\u0e-."#.utf8).randomElement(using: &random)!
                default: bytes.removeSubrange(index...)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            // Foundation refuses numbers beyond the range of Double.
            guard let ours = try? parse(bytes), !text.contains(/[eE][+-]?\d{3}/) else { continue }
            accepted += 1
            let theirs = try? JSONDecoder().decode(Document.self, from: Data(bytes))
            #expect(theirs == Document(ours), "\(text)")
        }
        #expect(accepted > 100)
    }

    @Test("Random bytes never crash")
    func randomBytes() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<50_000 {
            let count = Int.random(in: 0...24, using: &random)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try? parse(bytes)
            _ = try? parse(Array("\"".utf8) + bytes + Array("\"".utf8))
        }
    }

    @Test("Nothing before or after the bytes of a document is read")
    func bounds() throws {
        let bytes = Array(#"1[12]"x""#.utf8)
        #expect(try bytes[1..<5].withUnsafeBytes { try JSON(parsing: $0) } == .array([.integer(12)]))
        #expect(try bytes[2..<3].withUnsafeBytes { try JSON(parsing: $0) } == .integer(1))
        #expect(throws: JSONError.self) { try bytes[5..<7].withUnsafeBytes { try JSON(parsing: $0) } }
    }
}

@Suite struct JSONWriterTests {
    @Test("Values are written without white space")
    func values() {
        #expect(written(true) == "true")
        #expect(written(Int64.min) == "-9223372036854775808")
        #expect(written(Int32?.none) == "null")
        #expect(written([1, 2, 3]) == "[1,2,3]")
        #expect(written([Int]()) == "[]")
        #expect(written([[String]](arrayLiteral: [], ["a"], ["b", "c"])) == #"[[],["a"],["b","c"]]"#)
    }

    @Test("Members are parted by commas, whatever their values end in")
    func members() {
        struct Braces: JSONObject {
            static let schemaName = "Braces"
            static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {
                visitor.member("a") { _ in "{" }
                visitor.member("b") { _ in Empty() }
                visitor.memberIfPresent("none", nil) { _ in Int?.none }
                visitor.member("c") { _ in [Empty(), Empty()] }
            }
        }
        struct Empty: JSONObject {
            static let schemaName = "Empty"
            static func visitMembers(_ visitor: inout some MemberVisitor<Self>) {}
        }
        #expect(written(Braces()) == #"{"a":"{","b":{},"c":[{},{}]}"#)
    }

    @Test("Quotes, backslashes and control characters are escaped, nothing else")
    func escapes() {
        #expect(
            written("a\"b\\c/d\n\r\t\u{8}\u{C}\0\u{1F}\u{7F}я😀") == #""a\"b\\c/d\n\r\t\u0008\u000c\u0000\u001f"#
                + "\u{7F}я😀\"")
    }

    @Test("Every text comes back as it was, by our parser and Foundation's")
    func roundTrip() throws {
        var random = SplitMix64(seed: 4)
        for _ in 0..<5000 {
            let text = randomText(using: &random)
            #expect(try json(written(text)) == .string(text))
            let decoded = try JSONDecoder().decode([String].self, from: Data(written([text]).utf8))
            #expect(decoded.map { Array($0.utf8) } == [Array(text.utf8)])
        }
    }
}

private func parse(_ bytes: [UInt8]) throws -> JSON { try bytes.withUnsafeBytes { try JSON(parsing: $0) } }

/// A document as Foundation sees it: numbers are Doubles, an object has each name once.
private enum Document: Decodable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    /// Texts are compared as bytes, because Swift's strings take canonical equivalents for the same.
    case string([UInt8])
    case array([Document])
    case object([String: Document])

    init(_ json: JSON) {
        switch json {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .number(Double(value))
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(Array(value.utf8))
        case .array(let elements): self = .array(elements.map(Document.init))
        case .object(let members):
            self = .object(Dictionary(members.map { ($0.name, Document($0.value)) }) { _, last in last })
        }
    }

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(Array(string.utf8))
        } else if let elements = try? value.decode([Document].self) {
            self = .array(elements)
        } else {
            self = .object(try value.decode([String: Document].self))
        }
    }
}

private func randomDocument(depth: Int, using random: inout SplitMix64) -> String {
    func space() -> String {
        Int.random(in: 0..<8, using: &random) == 0 ? [" ", "\n", "\t", "\r"].randomElement(using: &random)! : ""
    }
    func string() -> String {
        let scalars = randomText(using: &random).unicodeScalars.map { scalar in
            if Bool.random(using: &random) || scalar.value < 0x20 || scalar == "\"" || scalar == "\\" {
                String(scalar).utf16.map { #"\u"# + String(0x10000 + Int($0), radix: 16).dropFirst() }.joined()
            } else {
                String(scalar)
            }
        }
        return "\"\(scalars.joined())\""
    }
    func value(_ depth: Int) -> String {
        let kind = Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random)
        let count = Int.random(in: 0..<5, using: &random)
        return switch kind {
        case 0: "null"
        case 1: ["true", "false"].randomElement(using: &random)!
        case 2: String(Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0..<64, using: &random))
        case 3: "\(Double.random(in: -1e9...1e9, using: &random))e\(Int.random(in: -200...200, using: &random))"
        case 4: string()
        case 5: "[" + (0..<count).map { _ in space() + value(depth - 1) + space() }.joined(separator: ",") + "]"
        default:
            "{"
                + (0..<count).map { space() + "\"\($0)\(string().dropFirst())" + space() + ":" + value(depth - 1) }
                .joined(separator: ",") + "}"
        }
    }
    return space() + value(depth) + space()
}

private func randomText(using random: inout SplitMix64) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0..<12, using: &random) {
        let limit: UInt32 = [0x80, 0x800, 0x10000, 0x110000].randomElement(using: &random)!
        if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &random)) { text.append(scalar) }
    }
    return String(text)
}
