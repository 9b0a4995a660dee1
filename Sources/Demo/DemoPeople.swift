import Distribution
import Model

/// Who writes to the demonstration's desk.
struct DemoPeople {
    private struct Person {
        let number: Int
        let name: String
        let isEnglish: Bool
    }

    private var people: [Person] = []

    /// A third of the contacts come from people who have written before, perhaps elsewhere.
    mutating func newContact(
        at id: SourceID, priority: Int32, using generator: inout SplitMix64
    ) -> NewContact {
        let entrance = DemoDesk.entrances[Int(id.rawValue) - 1]
        let isEnglish = [2, 4].contains(id.rawValue)
        let known = people.filter { $0.isEnglish == isEnglish }
        let person: Person
        if !known.isEmpty, Int.random(in: 0..<3, using: &generator) == 0 {
            person = known.randomElement(using: &generator)!
        } else {
            let names = isEnglish ? DemoDesk.englishNames : DemoDesk.russianNames
            let name = [names.first, names.last].map { $0.randomElement(using: &generator)! }.joined(separator: " ")
            person = Person(number: people.count + 1, name: name, isEnglish: isEnglish)
            people.append(person)
        }
        // Code 000 is given to nobody, neither are numbers 555-01xx; example.org is reserved (RFC 2606).
        let digits = String(10_000_000 + person.number)
        let phone = isEnglish ? "+1 555 01\(digits.dropFirst(2))" : "+7 (000) \(digits.dropFirst(1))"
        let email = "lead\(person.number)@example.org"
        let identity =
            switch entrance.channel {
            case .bot:
                // Some share their number with the bot.
                LeadIdentity(
                    externalID: "tg-\(700_000_000 + person.number)", phone: person.number % 3 == 0 ? phone : nil,
                    email: nil)
            case .form: LeadIdentity(externalID: nil, phone: phone, email: email)
            case .ads: LeadIdentity(externalID: nil, phone: phone, email: nil)
            case .mail: LeadIdentity(externalID: nil, phone: nil, email: email)
            }
        let messages = isEnglish ? DemoDesk.englishMessages : DemoDesk.russianMessages
        return NewContact(
            sourceID: id, identity: identity, leadName: person.name,
            message: messages.randomElement(using: &generator), priority: priority)
    }
}
