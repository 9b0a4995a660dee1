import TestSupport

/// The members of the contract's records.
enum Shape {
    static let `operator`: Set = [
        "id", "name", "is_active", "max_load", "current_load", "created_at", "updated_at",
    ]
    static let source: Set = ["id", "name", "description", "created_at", "strategy", "sticky"]
    static let weight: Set = ["id", "operator_id", "source_id", "weight", "created_at", "max_load"]
    static let contact: Set = [
        "id", "lead_id", "source_id", "operator_id", "status", "message", "created_at", "updated_at", "priority",
    ]
    static let contactWithDetails = contact.union(["lead", "operator", "source"])
    static let lead: Set = ["id", "external_id", "phone", "email", "name", "created_at", "updated_at"]
    static let leadWithContacts = lead.union(["contacts", "contacts_count"])
    static let count: Set = ["source_id", "source_name", "operator_id", "operator_name", "contacts_count"]

    static let queue: Set = [
        "source_id", "source_name", "waiting", "oldest_created_at", "oldest_age_seconds", "reason",
    ]

    static let event: Set = [
        "event", "at", "operator_id", "operator_name", "previous_operator_id", "status", "cause", "actor",
    ]
    static let explanation: Set = ["at", "cause", "strategy", "sticky", "chosen", "candidates"]

    static let share: Set = [
        "source_id", "source_name", "operator_id", "operator_name", "weight", "expected_percent", "assigned",
        "actual_percent", "deviation_points", "limited",
    ]
    static let timelineEntry: Set = [
        "at", "registered", "assigned", "closed", "median_wait_seconds", "p90_wait_seconds",
    ]

    /// Whether a value is a time of RFC 3339 in UTC.
    static func isTime(_ value: JSON) -> Bool {
        value.string?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/) != nil
    }
}
