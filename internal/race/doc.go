// Package race tells tests whether the race detector watches them. Under it plain Go takes 10 to 20
// times as long, and assembly no longer than otherwise.
package race
