package store

// What tests outside of the package open stores with.
var (
	OpenURL    = openURL
	OpenServer = openServer
)
