import Model
import Postgres
import SQLite
import Store

/// The rows of an old database on their way into an open transaction, table by table.
struct RowImport {
    typealias Table = SQLiteImport.Table

    private(set) var counts = Dictionary(
        uniqueKeysWithValues: Table.allCases.map { ($0, SQLiteImport.Count(table: $0)) })
    private let total: Int
    private let tell: (SQLiteImport.Event) -> Void
    private var done = 0

    private var table = Table.operators
    /// Of the row that is being read.
    private var id: Int64 = 0
    /// The bytes of its texts.
    private var size = 0
    /// What is changed of the batch that is being read, should it be added.
    private var changes: [SQLiteImport.Change] = []

    private var operators: Set<Int64> = []
    private var sources: Set<Int64> = []
    /// Sources that were there before keep their distribution.
    private var addedSources: Set<Int64> = []
    private var pairs: Set<[Int64]> = []

    init(total: Int, tell: @escaping (SQLiteImport.Event) -> Void) {
        self.total = total
        self.tell = tell
    }

    mutating func takeOver(_ old: borrowing OldDatabase, on connection: inout Connection) throws {
        do {
            try forEachBatch(
                of: .operators, in: old, &connection, { try $0.readOperator($1) }, { try $0.write($1, &$2) })
            try forEachBatch(of: .sources, in: old, &connection, { try $0.readSource($1) }, { try $0.write($1, &$2) })
            try forEachBatch(of: .weights, in: old, &connection, { try $0.readWeight($1) }, { try $0.write($1, &$2) })
            try forEachBatch(of: .leads, in: old, &connection, { try $0.readLead($1) }, { try $0.write($1, &$2) })
            let limits = try liftLimits(old, &connection)
            try forEachBatch(of: .contacts, in: old, &connection, { try $0.readContact($1) }, { try $0.write($1, &$2) })
            try restore(limits, &connection)
            tell(.progress(done: done, of: total))
        } catch let error as SQLiteError {
            throw SQLiteImport.Failure(description: "\(table.rawValue): \(error)")
        } catch PostgresError.server(let error) where ["22", "23"].contains(error.sqlState.prefix(2)) {
            // About the data of the batch: the message names the value.
            throw SQLiteImport.Failure(description: "\(table.rawValue), up to id \(id): \(error.message)")
        }
    }

    // MARK: - Operators

    private struct OldOperator {
        let name: String
        let isActive: Bool
        let maxLoad: Int32
    }

    private mutating func readOperator(_ row: borrowing SQLiteRows) throws -> OldOperator {
        let (isActive, limit) = (try integer(row, 2) != 0, try integer(row, 3))
        operators.insert(id)
        // Who may hold nothing gets nothing.
        if isActive, limit < 1 { change(2, "1", "0", .outOfRange) }
        return OldOperator(
            name: name(row, "Operator"), isActive: isActive && limit >= 1, maxLoad: inRange(limit, 3))
    }

    private func write(_ rows: [Added<OldOperator>], _ connection: inout Connection) throws {
        _ = try connection.run(
            SQLiteImportStatements.operators(
                .int8Array(rows.map(\.id)), .textArray(rows.map(\.row.name)),
                .int4Array(rows.map { $0.row.isActive ? 1 : 0 }), .int4Array(rows.map(\.row.maxLoad)),
                .textArray(rows.map(\.createdAt))))
    }

    // MARK: - Sources

    private struct OldSource {
        let name: String
        let description: String?
    }

    private mutating func readSource(_ row: borrowing SQLiteRows) throws -> OldSource {
        sources.insert(id)
        return OldSource(name: name(row, "Source"), description: text(row, 2))
    }

    private mutating func write(_ rows: [Added<OldSource>], _ connection: inout Connection) throws {
        let result = try connection.run(
            SQLiteImportStatements.sources(
                .int8Array(rows.map(\.id)), .textArray(rows.map(\.row.name)),
                .textArray(rows.map(\.row.description)), .textArray(rows.map(\.createdAt))))
        let names = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0.row.name) })
        for (id, name) in try result.map({ (try $0.next(Int64.self), try $0.next(String.self)) }) {
            addedSources.insert(id)
            if name != names[id] { change(id, 1, names[id], name, .name) }
        }
    }

    // MARK: - Weights

    private struct OldWeight {
        let operatorID: Int64
        let sourceID: Int64
        let weight: Int32
    }

    private mutating func readWeight(_ row: borrowing SQLiteRows) throws -> OldWeight? {
        let (operatorID, sourceID, weight) = (try integer(row, 1), try integer(row, 2), try integer(row, 3))
        if sources.contains(sourceID), !addedSources.contains(sourceID) {
            counts[.weights]!.alreadyThere += 1
            return nil
        }
        guard weight >= 1, operators.contains(operatorID), sources.contains(sourceID),
            pairs.insert([operatorID, sourceID]).inserted
        else {
            change(3, "\(weight) (operator \(operatorID), source \(sourceID))", nil, .leftOut)
            counts[.weights]!.leftOut += 1
            return nil
        }
        return OldWeight(operatorID: operatorID, sourceID: sourceID, weight: inRange(weight, 3))
    }

    private func write(_ rows: [Added<OldWeight>], _ connection: inout Connection) throws {
        _ = try connection.run(
            SQLiteImportStatements.weights(
                .int8Array(rows.map(\.id)), .int8Array(rows.map(\.row.operatorID)),
                .int8Array(rows.map(\.row.sourceID)), .int4Array(rows.map(\.row.weight)),
                .textArray(rows.map(\.createdAt))))
    }

    // MARK: - Leads

    private struct OldLead {
        let identity: LeadIdentity
        let name: String?
        let updatedAt: String?
    }

    private mutating func readLead(_ row: borrowing SQLiteRows) throws -> OldLead {
        let (externalID, phone, email) = (text(row, 1), text(row, 2), text(row, 3))
        let identity = LeadIdentity(externalID: externalID, phone: phone, email: email)
        if identity.externalID.map(Bytewise.init) != externalID.map(Bytewise.init) {
            change(1, externalID, identity.externalID, .normalised)
        }
        if identity.phone.map(Bytewise.init) != phone.map(Bytewise.init) {
            change(2, phone, identity.phone, .normalised)
        }
        if identity.email.map(Bytewise.init) != email.map(Bytewise.init) {
            change(3, email, identity.email, .normalised)
        }
        return OldLead(identity: identity, name: text(row, 4), updatedAt: try time(row, 6))
    }

    private mutating func write(_ rows: [Added<OldLead>], _ connection: inout Connection) throws {
        let leftOut = try connection.run(
            SQLiteImportStatements.leads(
                .int8Array(rows.map(\.id)), .textArray(rows.map(\.row.identity.externalID)),
                .textArray(rows.map(\.row.identity.phone)), .textArray(rows.map(\.row.identity.email)),
                .textArray(rows.map(\.row.name)), .textArray(rows.map(\.createdAt)),
                .textArray(rows.map(\.row.updatedAt))))
        _ = try leftOut.map { row in
            let (id, column) = (try row.next(Int64.self), try row.next(Int32.self))
            let (value, owner) = (try row.next(String.self), try row.next(Int64.self))
            change(id, Int(column), "\(value) (lead \(owner))", nil, .duplicateIdentifier)
        }
    }

    // MARK: - Contacts

    private struct OldContact {
        let leadID: Int64
        let sourceID: Int64
        let operatorID: Int64?
        let status: ContactStatus
        let message: String?
        let updatedAt: String?
    }

    private mutating func readContact(_ row: borrowing SQLiteRows) throws -> OldContact {
        var operatorID = row.isNull(3) ? nil : try integer(row, 3)
        if let id = operatorID, !operators.contains(id) {
            change(3, String(id), nil, .danglingOperator)
            operatorID = nil
        }
        let given = text(row, 4)
        let status = given.flatMap { ContactStatus(rawValue: $0.lowercased()) }
        if status == nil { change(4, given, ContactStatus.closed.rawValue, .unknownStatus) }
        return OldContact(
            leadID: try integer(row, 1), sourceID: try integer(row, 2), operatorID: operatorID,
            status: status ?? .closed, message: text(row, 5), updatedAt: try time(row, 7))
    }

    private func write(_ rows: [Added<OldContact>], _ connection: inout Connection) throws {
        _ = try connection.run(
            SQLiteImportStatements.contacts(
                .int8Array(rows.map(\.id)), .int8Array(rows.map(\.row.leadID)),
                .int8Array(rows.map(\.row.sourceID)), .int8Array(rows.map(\.row.operatorID)),
                .textArray(rows.map(\.row.status.rawValue)), .textArray(rows.map(\.row.message)),
                .textArray(rows.map(\.createdAt)), .textArray(rows.map(\.row.updatedAt))))
    }

    // MARK: - Limits

    /// Lets operators hold what they held: the old service let them pass their limits.
    ///
    /// - Returns: The limits to be restored.
    private func liftLimits(
        _ old: borrowing OldDatabase, _ connection: inout Connection
    ) throws -> [(id: Int64, maxLoad: Int32)] {
        let loads = try old.activeContacts()
        let query = SQLiteImportStatements.liftLimits(
            .int8Array(loads.map(\.operatorID)), .int8Array(loads.map(\.count)))
        return try connection.run(query).map { (try $0.next(), try $0.next()) }
    }

    private mutating func restore(
        _ limits: [(id: Int64, maxLoad: Int32)], _ connection: inout Connection
    ) throws {
        let query = SQLiteImportStatements.restoreLimits(
            .int8Array(limits.map(\.id)), .int4Array(limits.map(\.maxLoad)))
        table = .operators
        _ = try connection.run(query).map { row in
            let (id, limit, load) = (try row.next(Int64.self), try row.next(Int32.self), try row.next(Int32.self))
            if counts[.contacts]!.added > 0 { change(id, 3, "\(limit), holds \(load)", nil, .overloaded) }
        }
        tellChanges()
    }

    // MARK: - Batches

    private typealias Added<Row> = (id: Int64, createdAt: String?, row: Row)

    /// Reads a table in batches and writes what is not there yet.
    ///
    /// - Parameter decode: What to write besides id and time; `nil` leaves the row out.
    private mutating func forEachBatch<Row>(
        of table: Table, in old: borrowing OldDatabase, _ connection: inout Connection,
        _ decode: (inout RowImport, borrowing SQLiteRows) throws -> Row?,
        _ write: (inout RowImport, [Added<Row>], inout Connection) throws -> Void
    ) throws {
        self.table = table
        let timeColumn = OldDatabase.columns[table]!.firstIndex(of: "created_at")!
        var rows = try old.rows(of: table)
        var isEnd = false
        while !isEnd {
            tell(.progress(done: done, of: total))
            var batch: [Added<Row>] = []
            size = 0
            while batch.count < 20_000, size < 16 << 20 {
                guard try rows.next() else {
                    isEnd = true
                    break
                }
                guard let id = rows.integer(0), id > 0 else {
                    throw SQLiteImport.Failure(
                        description:
                            "\(table.rawValue): '\(rows.text(0) ?? "NULL")' is no id: ids are integers from 1 on")
                }
                self.id = id
                if isMade(rows) { change(0, nil, String(id), .placeholder) } else { done += 1 }
                let createdAt = try time(rows, timeColumn)
                guard let row = try decode(&self, rows) else { continue }
                if createdAt == nil { change(timeColumn, nil, nil, .noTime) }
                batch.append((id, createdAt, row))
            }
            let present = try present(batch.map(\.id), batch.map(\.createdAt), &connection)
            let added = batch.filter { !present.contains($0.id) }
            changes.removeAll { present.contains($0.id) }
            counts[table]!.alreadyThere += present.count
            counts[table]!.added += added.count
            if !added.isEmpty { try write(&self, added, &connection) }
            tellChanges()
        }
    }

    /// Which of these rows are there.
    private func present(
        _ ids: [Int64], _ times: [String?], _ connection: inout Connection
    ) throws -> Set<Int64> {
        let query = SQLiteImportStatements.present[table]!(.int8Array(ids), .textArray(times))
        let found = try connection.run(query).map { (try $0.next(Int64.self), try $0.next(Bool.self)) }
        if let other = found.first(where: { !$0.1 })?.0 {
            throw SQLiteImport.Failure(
                description: """
                    the database has other data under the same ids: \(table.rawValue) \(other) was created at another \
                    time than in the file. Import into a database that was not in use before
                    """)
        }
        return Set(found.map(\.0))
    }

    // MARK: - Values

    /// Whether the row is missing in its table, though contacts name it.
    private func isMade(_ row: borrowing SQLiteRows) -> Bool { row.integer(OldDatabase.columns[table]!.count) == 1 }

    private func integer(_ row: borrowing SQLiteRows, _ column: Int) throws -> Int64 {
        guard let value = row.integer(column) else { throw wrong(row, column, "is no integer") }
        return value
    }

    private mutating func text(_ row: borrowing SQLiteRows, _ column: Int) -> String? {
        guard let given = row.text(column) else { return nil }
        size += given.utf8.count
        guard given.utf8.contains(0) else { return given }
        let value = String(decoding: given.utf8.filter { $0 != 0 }, as: UTF8.self)
        change(column, given, value, .unwritable)
        return value
    }

    /// A name, or the word with the id.
    private mutating func name(_ row: borrowing SQLiteRows, _ word: String) -> String {
        if let name = text(row, 1), !name.isEmpty { return name }
        if !isMade(row) { change(1, nil, "\(word) \(id)", .name) }
        return "\(word) \(id)"
    }

    /// `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, as SQLAlchemy writes it, or what PostgreSQL understands besides. Words that
    /// it understands, `now` among them, are no times here.
    private func time(_ row: borrowing SQLiteRows, _ column: Int) throws -> String? {
        guard let value = row.text(column) else { return nil }
        guard value.utf8.first.map({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) == true else {
            throw wrong(row, column, "is no time")
        }
        return value
    }

    private mutating func inRange(_ value: Int64, _ column: Int) -> Int32 {
        let nearest = Int32(clamping: max(1, value))
        if Int64(nearest) != value { change(column, String(value), String(nearest), .outOfRange) }
        return nearest
    }

    private func wrong(_ row: borrowing SQLiteRows, _ column: Int, _ what: String) -> SQLiteImport.Failure {
        let name = OldDatabase.columns[table]![column]
        return SQLiteImport.Failure(
            description: "\(table.rawValue) \(id): \(name) '\(row.text(column) ?? "NULL")' \(what)")
    }

    // MARK: - Changes

    private mutating func change(
        _ column: Int, _ was: String?, _ becomes: String?, _ reason: SQLiteImport.Reason
    ) { change(id, column, was, becomes, reason) }

    private mutating func change(
        _ id: Int64, _ column: Int, _ was: String?, _ becomes: String?, _ reason: SQLiteImport.Reason
    ) {
        changes.append(
            SQLiteImport.Change(
                table: table, id: id, column: OldDatabase.columns[table]![column], was: was, becomes: becomes,
                reason: reason))
    }

    private mutating func tellChanges() {
        for change in changes { tell(.change(change)) }
        changes.removeAll(keepingCapacity: true)
    }
}
