package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed files
var files embed.FS

// types are the content types of the files, by the ends of their names. They are written here
// because those that the system knows differ from machine to machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// A file is one file of the page.
type file struct {
	name, contentType, tag string
	text                   []byte
}

// Handler serves the page at / and its other files below /page/. The browser keeps them, and asks
// by their ETag whether they are still right.
func Handler() http.Handler {
	mux := http.NewServeMux()
	for _, f := range load() {
		pattern := "GET /page/" + f.name
		if f.name == "index.html" {
			pattern = "GET /{$}"
		}
		mux.Handle(pattern, f)
	}
	return mux
}

// load returns the embedded files.
func load() []file {
	entries, err := fs.ReadDir(files, "files")
	if err != nil {
		panic(err) // they are part of the program
	}
	var all []file
	for _, entry := range entries {
		text, err := fs.ReadFile(files, path.Join("files", entry.Name()))
		if err != nil {
			panic(err)
		}
		all = append(all, file{
			name:        entry.Name(),
			contentType: types[path.Ext(entry.Name())],
			tag:         fmt.Sprintf(`"%x"`, sha256.Sum256(text)),
			text:        text,
		})
	}
	return all
}

// ServeHTTP answers with the file, or says that the one that the browser has is still right.
func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", f.tag)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.text))
}
