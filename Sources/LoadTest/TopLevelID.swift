/// The integer member `id` of a JSON object; `nil` if there is none.
///
/// The load generator shares the machine with what it measures: this reads no further than the member, where a
/// decoder would read all of each answer. The ids of objects inside are passed over.
func topLevelID(of document: UnsafeRawBufferPointer) -> Int64? {
    var depth = 0
    var position = 0
    while position < document.count {
        switch document[position] {
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        case UInt8(ascii: "\""):
            let start = position + 1
            position = start
            while position < document.count, document[position] != UInt8(ascii: "\"") {
                position += document[position] == UInt8(ascii: "\\") ? 2 : 1
            }
            if depth == 1, position < document.count, document[start..<position].elementsEqual("id".utf8),
                let id = member(in: document[(position + 1)...])
            {
                return id
            }
        default: break
        }
        position += 1
    }
    return nil
}

/// The positive integer after a colon.
private func member(in text: Slice<UnsafeRawBufferPointer>) -> Int64? {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    let rest = text.drop(while: isSpace)
    guard rest.first == UInt8(ascii: ":") else { return nil }
    var id: Int64?
    for byte in rest.dropFirst().drop(while: isSpace) {
        let digit = byte &- UInt8(ascii: "0")
        guard digit < 10 else { break }
        let (tens, overflow) = (id ?? 0).multipliedReportingOverflow(by: 10)
        let (sum, tooLarge) = tens.addingReportingOverflow(Int64(digit))
        if overflow || tooLarge { return nil }
        id = sum
    }
    return id
}
