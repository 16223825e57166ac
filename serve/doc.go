// Package serve is the server behind a browser and programs: it draws for them, and shows and runs
// trainings. Start reading in serve.go, which builds the server of its rooms, and server.go, which
// runs it and ends it.
//
//	a request ─► guard ─► api ─► draw     batches over workers, the memory of models
//	                  ├─► runs            folders of runs, and the training under way
//	                  └─► page            files for the browser
//
//	problem   the shape of an error, for all of them
package serve
