package telemetry

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/portner-go/portner"
)

// alarms are the events that report a violation of a security rule or a fault. Each is 0 from the start in a counter of its own, with no
// other attribute: Prometheus sees an increase at the first event, where a series that begins with 1 has none.
var alarms = []portner.EventName{
	portner.EventFault,
	portner.EventIDCollision,
	portner.EventRedirectMismatch,
	portner.EventBadRegistration,
	portner.EventDuplicateParam,
	portner.EventScopeDenied,
	portner.EventPKCEMismatch,
	portner.EventCodeForeignClient,
	portner.EventCodeReplay,
	portner.EventCodeReplayInvalid,
	portner.EventRefreshReuse,
	portner.EventRefreshForeign,
	portner.EventRevokeForeign,
	portner.EventClientAuthFailed,
	portner.EventAssertionAudience,
	portner.EventAssertionAlgorithm,
	portner.EventAssertionHeader,
	portner.EventAssertionReplay,
	portner.EventCertificateRejected,
	portner.EventLegacyAudience,
	portner.EventCSRF,
	portner.EventCookieDuplicate,
	portner.EventIntrospectionDenied,
	portner.EventPIDLeakBlocked,
}

func isAlarm(n portner.EventName) bool {
	return strings.HasPrefix(string(n), "sec.") || strings.HasPrefix(string(n), "sys.")
}

// countAlarm adds n to the counter of an event.
func (t *Telemetry) countAlarm(ctx context.Context, event string, n int64) {
	t.alarms.Add(ctx, n, t.alarmSets.option(event, overflow))
}

func alarmAttributes(event string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(keyEventAttr, event)}
}
