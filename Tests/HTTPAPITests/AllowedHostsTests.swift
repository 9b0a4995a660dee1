import Testing

@testable import HTTPAPI

@Suite struct AllowedHostsTests {
    @Test(
        "Loopback goes by its names and addresses, whatever the port",
        arguments: [
            "localhost", "LocalHost:8000", "localhost.", "localhost.:80", "a.b.localhost", "127.0.0.1", "127.1.2.3:1",
            "[::1]", "[::1]:8000", "[::ffff:127.0.0.1]:8000",
        ])
    func loopback(_ host: String) {
        #expect(AllowedHosts.loopback.contains(host))
    }

    @Test(
        "No other name is loopback's",
        arguments: [
            "evil.example", "localhost.evil.example", "notlocalhost", "127.0.0.1.evil.example", "127.evil.example",
            "127.0.0.256", "128.0.0.1", "0.0.0.0", "10.0.0.1:8000", "[::2]", "[::ffff:10.0.0.1]", "[fe80::1]:80", ".",
            ":80", "localhost..",
            "evil.example:80:localhost", "127.0.0", "127.0.0.1.1",
        ])
    func notLoopback(_ host: String) {
        #expect(!AllowedHosts.loopback.contains(host))
    }

    @Test("Names that are given are the only ones; an asterisk among them stands for all")
    func named() throws {
        let hosts = try #require(AllowedHosts(" CRM.example. ,10.0.0.1, [fd00::1] "))
        for host in ["crm.example", "crm.EXAMPLE:8000", "crm.example.", "10.0.0.1:80", "[fd00::1]:8000", "", nil] {
            #expect(hosts.contains(host), "\(host ?? "none")")
        }
        for host in ["localhost", "127.0.0.1", "a.crm.example", "crm.example.evil.example", "*"] {
            #expect(!hosts.contains(host), "\(host)")
        }
        #expect(AllowedHosts("crm.example,*") == .any)
        #expect(AllowedHosts.any.contains("evil.example"))
        for list in [",", "crm.example,", " ", "a,,b"] { #expect(AllowedHosts(list) == nil, "\(list)") }
    }

    @Test("Who listens on loopback alone is called by its names, and who listens elsewhere by any")
    func standard() {
        for address in ["127.0.0.1", "127.0.0.2", "localhost", "::1", "::ffff:127.0.0.1"] {
            #expect(AllowedHosts(listeningOn: address) == .loopback, "\(address)")
        }
        for address in ["0.0.0.0", "::", "10.0.0.1", "crm.example"] {
            #expect(AllowedHosts(listeningOn: address) == .any, "\(address)")
        }
    }
}
