// Package problem is the shape of an error over HTTP, the one of OpenAI's API:
//
//	{"error": {"message": "steps 0: …", "type": "invalid_request_error",
//	           "param": "steps", "code": null}}
//
// [Write] sends a known mistake, [Send] any error: [Of] finds its status and its type.
package problem
