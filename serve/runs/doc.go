// Package runs is the dashboard's side of run folders: it lists, describes and watches runs,
// starts, stops, resumes, distils and deletes them, and speaks HTTP.
//
// # Runs are folders
//
// All that is shown comes from the folders, by the readers of package run: so a run looks the same
// after a restart of the server, and one that another process trains is live too. What a folder
// cannot tell is kept for the training of this process alone: the notes, what it reads before the
// first step, and why a run failed that has no folder yet.
//
// # Names
//
// A request names a run, or data, by a name that a list has. No part of a path comes from a
// request: runs are opened through [os.Root] directly below their folder, links are not followed,
// and data is looked up in the list that GET /v1/data returns.
//
// # Watching
//
// A watcher looks at the folder once a second. Looking costs a few calls of the system where
// nothing changed, works on network file systems, and sees what other machines write there. None of
// that holds for notifications of the system (inotify).
//
// # Curves
//
// A curve of many steps is thinned for the screen. Steps go into equal buckets, of which the
// smallest and the largest value are kept, at the steps where they were: no peak is lost, and none
// is made up. Beside these, the latest steps are kept as they are. See curve.go.
//
// Start reading at service.go, then describe.go and training.go; handlers.go has the routes.
package runs
