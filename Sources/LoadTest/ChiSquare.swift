#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Pearson's test of counts against expected shares.
enum ChiSquare {
    /// The probability of counts at least as far from their expectation, if each event falls to one of the weights with
    /// probability weight / sum.
    ///
    /// - Returns: `nil` when the test says nothing: fewer than two weights, or an expected count below 5
    ///   (W. G. Cochran, "Some Methods for Strengthening the Common χ² Tests", Biometrics 10, 1954).
    static func probability(counts: [Int], weights: [Int]) -> Double? {
        let total = Double(counts.reduce(0, +))
        let sum = Double(weights.reduce(0, +))
        let expected = weights.map { total * Double($0) / sum }
        guard weights.count > 1, expected.allSatisfy({ $0 >= 5 }) else { return nil }
        let statistic = zip(counts, expected).reduce(0) { sum, cell in
            let deviation = Double(cell.0) - cell.1
            return sum + deviation * deviation / cell.1
        }
        return tail(statistic, degreesOfFreedom: weights.count - 1)
    }

    /// The probability that a chi-square variable is at least `statistic`: Q(ν/2, χ²/2).
    ///
    /// Q(a+1, x) = Q(a, x) + xᵃe⁻ˣ/Γ(a+1), from Q(½, x) = erfc(√x) or Q(1, x) = e⁻ˣ: NIST Digital Library of
    /// Mathematical Functions, 8.8.6, 7.11.2 and 8.4.8. All terms are positive, so that none cancels another; they
    /// are taken from their logarithms, because e⁻ˣ alone is 0 long before they are.
    static func tail(_ statistic: Double, degreesOfFreedom: Int) -> Double {
        let x = statistic / 2
        guard x > 0 else { return 1 }
        var a = degreesOfFreedom.isMultiple(of: 2) ? 1 : 0.5
        var tail = a == 1 ? exp(-x) : erfc(x.squareRoot())
        while a < Double(degreesOfFreedom) / 2 {
            tail += exp(a * log(x) - x - lgamma(a + 1))
            a += 1
        }
        return min(tail, 1)
    }
}
