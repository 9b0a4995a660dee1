/// The columns that a text takes on a terminal.
func displayWidth(_ text: String) -> Int { text.reduce(0) { $0 + displayWidth($1) } }

/// The columns that a character takes: 2 if it is East Asian or an emoji, 0 if it only combines with another.
func displayWidth(_ character: Character) -> Int {
    let scalars = character.unicodeScalars
    let first = scalars.first!
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    // U+FE0F asks for the emoji where a character has a plain form, too.
    let isEmoji = first.properties.isEmojiPresentation || scalars.contains("\u{FE0F}")
    return isEmoji || wide.contains { $0.contains(first.value) } ? 2 : 1
}

/// The blocks whose characters have East_Asian_Width W or F (Unicode Standard Annex #11).
private let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
    0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
]
