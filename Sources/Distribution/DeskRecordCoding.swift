import Model

extension DeskRecord {
    private static let version: UInt64 = 1

    /// The record in few bytes: some nine for each operator of a source, and four for each step.
    public var bytes: [UInt8] {
        var writer = CompactWriter()
        writer.write(Self.version)
        writer.write(desk.generator.state)
        writer.write(signed: desk.clock.microsecondsSince2000)
        let operators = operators.sorted()
        let operatorIndex = Dictionary(uniqueKeysWithValues: zip(operators, 0 as UInt64..<UInt64(operators.count)))
        writer.write(UInt64(operators.count))
        var former: Int64 = 0
        for id in operators {
            writer.write(signed: id.rawValue &- former)
            former = id.rawValue
            let capacity = desk.capacities[id]
            writer.write(capacity.map { $0.isActive ? 2 : 1 } ?? 0)
            guard let capacity else { continue }
            writer.write(signed: capacity.maxLoad)
            writer.write(signed: capacity.currentLoad)
        }
        let sources = Set(steps.map(\.source)).sorted()
        let sourceIndex = Dictionary(uniqueKeysWithValues: zip(sources, 0 as UInt64..<UInt64(sources.count)))
        writer.write(UInt64(sources.count))
        for id in sources {
            writer.write(signed: id.rawValue)
            writer.write(code(desk.strategies[id] ?? .weightedRandom))
            let shares = desk.shares[id, default: []]
            writer.write(UInt64(shares.count))
            for share in shares {
                writer.write(operatorIndex[share.operatorID]!)
                writer.write(signed: share.weight)
                writer.write(optional: desk.rooms[id]?[share.operatorID].map(Int64.init))
            }
            let turns = desk.turns[id, default: [:]].filter { $1 != Desk.Turn() }.sorted { $0.key < $1.key }
            writer.write(UInt64(turns.count))
            for (id, turn) in turns {
                writer.write(signed: id.rawValue)
                writer.write(optional: turn.credit)
                writer.write(
                    optional: turn.givenAt.map { desk.clock.microsecondsSince2000 &- $0.microsecondsSince2000 })
            }
        }
        writer.write(UInt64(steps.count))
        var contact: Int64 = 0
        func write(_ id: ContactID) {
            writer.write(signed: id.rawValue &- contact)
            contact = id.rawValue
        }
        for step in steps {
            let (event, givenTo): (UInt64, OperatorID?) =
                switch step.event {
                case .given(_, let id, let way): (code(way), id)
                case .left: (3, nil)
                case .freed(let id): (4, id)
                }
            writer.write(event | code(step.cause) << 3 | (step.passedOver.isEmpty ? 0 : 0x80))
            writer.write(sourceIndex[step.source]!)
            switch step.event {
            case .given(let contact, _, _), .left(let contact): write(contact)
            case .freed: break
            }
            if let givenTo { writer.write(operatorIndex[givenTo]!) }
            guard !step.passedOver.isEmpty else { continue }
            writer.write(UInt64(step.passedOver.count))
            for id in step.passedOver { writer.write(operatorIndex[id]!) }
        }
        return writer.bytes
    }

    /// - Throws: If they are not the bytes of a record of this version.
    public init(bytes: [UInt8]) throws {
        var reader = CompactReader(bytes)
        guard try reader.unsigned() == Self.version else { throw CompactReader.Malformed() }
        let seed = try reader.unsigned()
        let clock = Timestamp(microsecondsSince2000: try reader.signed(in: -1 << 62...1 << 62))
        var capacities: [OperatorID: Desk.Capacity] = [:]
        var former: Int64 = 0
        let operators = try reader.list { reader in
            former &+= try reader.signed()
            let id = OperatorID(former)
            let state = try reader.unsigned()
            if state > 0 {
                capacities[id] = Desk.Capacity(
                    isActive: state == 2, maxLoad: try reader.signed(in: 1 ... .max),
                    currentLoad: try reader.signed(in: 0...1 << 30))
            }
            return id
        }
        var shares: [SourceID: [Desk.Share]] = [:]
        var strategies: [SourceID: Strategy] = [:]
        var rooms: [SourceID: [OperatorID: Int32]] = [:]
        var turns: [SourceID: [OperatorID: Desk.Turn]] = [:]
        let sources = try reader.list { reader in
            let id = SourceID(try reader.signed())
            strategies[id] = try reader.element(of: Strategy.allCases)
            shares[id] = try reader.list { reader in
                let operatorID = try reader.element(of: operators)
                let share = Desk.Share(operatorID: operatorID, weight: try reader.signed(in: 1 ... .max))
                if let room = try reader.optional() {
                    rooms[id, default: [:]][operatorID] = Int32(max(-1 << 30, min(room, 1 << 30)))
                }
                return share
            }
            _ = try reader.list { reader in
                let operatorID = OperatorID(try reader.signed())
                let credit = try reader.optional()
                let givenAt = try reader.optional().map {
                    Timestamp(microsecondsSince2000: clock.microsecondsSince2000 &- $0)
                }
                turns[id, default: [:]][operatorID] = Desk.Turn(credit: credit, givenAt: givenAt)
            }
            return id
        }
        var contact: Int64 = 0
        func nextContact(_ reader: inout CompactReader) throws -> ContactID {
            contact &+= try reader.signed()
            return ContactID(contact)
        }
        let steps = try reader.list { reader in
            let code = try reader.unsigned()
            let source = try reader.element(of: sources)
            let event: Desk.Step.Event
            switch code & 7 {
            case 3: event = .left(try nextContact(&reader))
            case 4: event = .freed(try reader.element(of: operators))
            case let way where way < 3:
                let contact = try nextContact(&reader)
                let id = try reader.element(of: operators)
                guard capacities[id] != nil else { throw CompactReader.Malformed() }
                event = .given(contact, to: id, by: Desk.Step.Way.allCases[Int(way)])
            default: throw CompactReader.Malformed()
            }
            let cause = Int(code >> 3 & 0xf)
            guard cause < ContactCause.allCases.count else { throw CompactReader.Malformed() }
            return Desk.Step(
                source: source, event: event, cause: ContactCause.allCases[cause],
                passedOver: code & 0x80 == 0 ? [] : try reader.list { try $0.element(of: operators) })
        }
        guard reader.isAtEnd else { throw CompactReader.Malformed() }
        self.init(
            Desk(
                capacities: capacities, shares: shares, strategies: strategies, turns: turns, rooms: rooms,
                placements: [:], clock: clock, seed: seed), steps)
    }
}

/// The place of a case among all of its kind: the order of the cases is part of the form.
private func code<Case: CaseIterable & Equatable>(_ value: Case) -> UInt64 {
    UInt64(Case.allCases.enumerated().first { $0.element == value }!.offset)
}
