// Package roomtest has what the tests of several rooms of pipeline share: small data, small
// networks and models, readers of files, and checks of time and goroutines.
//
//   - patterns.go: images, [Patterns] in memory and [SmallDigits] in files
//   - networks.go: networks whose results are known, [AffineNet] and [CountingNet]
//   - models.go: model files, such as [SmallModel]
//   - tensors.go, pictures.go: files that tests write and read; [SameRun] compares run folders
//   - goroutines.go, peak.go: [NoLeaks], [Within], and the limit that benchmarks are compared with
//
// All is keyed by fixed seeds. Files go into folders of the test, which the testing package
// removes.
package roomtest
