import Access
import CRM
import HTTPTypes
import Metrics
import Model
import Prometheus

/// Whether keys are asked for.
public enum AccessPolicy: Sendable {
    case off
    /// Calls without a good key are counted, and served.
    case warn
    case on
}

/// Who calls.
struct Caller: Sendable {
    /// `nil`: nobody was asked for one.
    var key: APIKey?
    /// What the key may still ask for.
    var quota: RateLimiter<String>.Quota?

    /// Whether what is stored may be shown.
    var mayRead: Bool { key?.allows(.read) ?? true }

    /// - Throws: ``Refusal/forbidden(_:)``.
    func checkRegistration(at source: SourceID) throws(Refusal) {
        guard key?.sources?.contains(source) ?? true else {
            throw .forbidden("The key does not register contacts at source \(source)")
        }
    }
}

/// Lets in who has a key that allows what is asked, before anything else of the request is read.
final class AccessControl: Sendable {
    /// What the registry must know.
    static let family = PrometheusRegistry.Family(
        "leads_crm_requests_without_key_total", "Requests served without a good key, where AUTH is warn.")

    private let policy: AccessPolicy
    private let crm: CRM
    private let limits = RateLimiter<String>()
    /// Of bad keys, by address: ten a second, a hundred at once. Good ones from there are served.
    private let badKeys = RateLimiter<String>()
    private let withoutKey: Counter

    init(_ policy: AccessPolicy, crm: CRM, metrics: any MetricsFactory) {
        self.policy = policy
        self.crm = crm
        withoutKey = Counter(label: Self.family.name, factory: metrics)
    }

    /// - Parameter scope: What the operation needs; `nil`: nothing.
    /// - Throws: ``Refusal``; ``CRMError/unavailable(_:)`` if no key can be looked up.
    func caller(of request: Request, for scope: Scope?) throws -> Caller {
        guard let scope, policy != .off else { return Caller() }
        do {
            return try caller(with: request, for: scope)
        } catch  where policy == .warn {
            withoutKey.increment()
            return Caller()
        }
    }

    private func caller(with request: Request, for scope: Scope) throws -> Caller {
        let values = request.headers.values(of: .authorization)
        guard let value = values.first else { throw Refusal.unauthorized }
        guard values.count == 1, let text = Self.bearer(value).flatMap(KeyText.init),
            let key = try crm.keyRing().key(for: text, at: .now)
        else {
            let (isAllowed, quota) = badKeys.take(for: request.peer ?? "", rate: 10, burst: 100)
            throw isAllowed ? Refusal.unauthorized : .rateLimited(wait: quota.wait)
        }
        var caller = Caller(key: key)
        if let limit = key.rateLimit {
            let (isAllowed, quota) = limits.take(for: key.id, rate: Double(limit), burst: limit)
            guard isAllowed else { throw Refusal.rateLimited(wait: quota.wait) }
            caller.quota = quota
        }
        guard key.allows(scope) else {
            throw Refusal.forbidden("The key does not have the scope \(scope.rawValue)")
        }
        return caller
    }

    /// What `Authorization` has for the scheme `Bearer` (RFC 6750), whose name is in any case.
    private static func bearer(_ value: String) -> String? {
        let parts = value.split(separator: " ", omittingEmptySubsequences: true)
        return parts.count == 2 && parts[0].lowercased() == "bearer" ? String(parts[1]) : nil
    }
}

extension HeaderFields {
    /// Tells what is left of a key's limit (draft-ietf-httpapi-ratelimit-headers-10).
    mutating func tell(_ quota: RateLimiter<String>.Quota) {
        self[.rateLimitPolicy] = "\"key\";q=\(quota.limit);w=1"
        self[.rateLimit] = "\"key\";r=\(quota.remaining);t=\(max(1, quota.wait))"
    }
}

extension HTTPField.Name {
    static let rateLimit = HTTPField.Name("RateLimit")!
    static let rateLimitPolicy = HTTPField.Name("RateLimit-Policy")!
}
