package walk

// Behaviour that the model expects, and that the provider does not have yet.
const (
	droppedSessionsNotify      = false
	customersAreChecked        = true
	requestedScopesHide        = false
	machineResourcesAreChecked = true
)
