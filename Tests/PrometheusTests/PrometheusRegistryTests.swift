import Metrics
import Prometheus
import Testing

@Suite struct PrometheusRegistryTests {
    private let registry = PrometheusRegistry([
        .init("a_total", "Counts\nwith a \\."), .init("b_seconds", "Times.", bounds: [0.5, 1]),
        .init("c_size", "Sizes.", bounds: [1, 10]), .init("d", "A level."),
    ])

    private var text: String {
        var exposition = Exposition()
        registry.write(to: &exposition)
        return exposition.text
    }

    @Test("What was never recorded is not told")
    func empty() {
        #expect(text == "")
    }

    @Test("Counters of a family add up label by label, whoever made them")
    func counters() {
        Counter(label: "a_total", dimensions: [("x", "2")], factory: registry).increment(by: 3)
        for _ in 1...2 {
            Counter(label: "a_total", dimensions: [("x", "1"), ("y", "say \"\\\n\"")], factory: registry).increment()
        }
        #expect(
            text == #"""
                # HELP a_total Counts\nwith a \\.
                # TYPE a_total counter
                a_total{x="1",y="say \"\\\n\""} 2
                a_total{x="2"} 3

                """#)
    }

    @Test("A histogram's buckets hold all that is not above their bound")
    func histograms() {
        let timer = Timer(label: "b_seconds", dimensions: [("x", "1")], factory: registry)
        for milliseconds in [250, 500, 750, 1500] { timer.recordMilliseconds(milliseconds) }
        let recorder = Recorder(label: "c_size", dimensions: [], aggregate: true, factory: registry)
        for size in [1, 2, 11] { recorder.record(size) }
        #expect(
            text == #"""
                # HELP b_seconds Times.
                # TYPE b_seconds histogram
                b_seconds_bucket{x="1",le="0.5"} 2
                b_seconds_bucket{x="1",le="1.0"} 3
                b_seconds_bucket{x="1",le="+Inf"} 4
                b_seconds_sum{x="1"} 3.0
                b_seconds_count{x="1"} 4
                # HELP c_size Sizes.
                # TYPE c_size histogram
                c_size_bucket{le="1.0"} 1
                c_size_bucket{le="10.0"} 2
                c_size_bucket{le="+Inf"} 3
                c_size_sum 14.0
                c_size_count 3

                """#)
    }

    @Test("A gauge tells its last value")
    func gauges() {
        let gauge = Gauge(label: "d", dimensions: [], factory: registry)
        gauge.record(5)
        gauge.record(2.5)
        #expect(text == "# HELP d A level.\n# TYPE d gauge\nd 2.5\n")
    }
}
