package asm

// Permit asks the operating system once for what the routines of a target need of it beyond a CPU's
// features: Linux gives AMX to processes that ask. The error says why not.
func Permit(target string) error {
	if target == "AMX" {
		return permitTiles()
	}
	return nil
}
