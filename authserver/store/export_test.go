package store

// What tests outside of the package open stores with.
var (
	OpenFile   = openFile
	OpenServer = openServer
)
