import HTTPAPI
import NIOCore

extension ConnectionHandler {
    /// Ends the connection if its client has had its time.
    func checkTime(_ now: NIODeadline, context: ChannelHandlerContext) {
        // Something may have come since this was said.
        guard connection.isLate(now) else { return }
        switch state {
        case .idle where hasHeadBegun: refuse(.requestTimeout, as: .head, context: context)
        case .idle: close(as: .idle, context: context)
        case .receiving:
            if body.isLate(now, shared.limits) { return refuse(.requestTimeout, as: .body, context: context) }
            connection.expect(by: body.deadline(shared.limits, after: now))
        case .answering: break
        case .writing: close(as: .unread, context: context)
        case .ending: context.close(promise: nil)
        }
    }

    /// Makes room for others, if it is not too late.
    func evict(context: ChannelHandlerContext) {
        switch state {
        case .idle: context.close(promise: nil)
        case .writing where rest?.isLong == true: close(as: .unread, context: context)
        case .receiving, .answering, .writing, .ending: break
        }
    }

    private func refuse(_ code: ErrorCode, as incident: Incidents.Incident, context: ChannelHandlerContext) {
        shared.incidents.count(incident)
        refuse(code, context: context)
    }

    private func close(as incident: Incidents.Incident, context: ChannelHandlerContext) {
        shared.incidents.count(incident)
        context.close(promise: nil)
    }
}
