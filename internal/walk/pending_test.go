package walk

// Behaviour that the model expects, and that the provider does not have yet.
const (
	droppedSessionsNotify      = true
	customersAreChecked        = true
	requestedScopesHide        = true
	machineResourcesAreChecked = true
)
