// Package web draws images with a flow map and little else, for pages that draw on the visitor's
// machine: its program in WebAssembly must be small to load. So it stands on the network and the
// mathematics alone, beside pipeline. A test holds it to the bytes of package sample.
//
// The folder files is the page, as written by hand. "make wasm" adds the rest and makes a folder of
// it for any server of files:
//
//	index.html, main.js, page.css   the page
//	worker.js                       draws, apart from the page, so that the page stays alive
//	base.css, controls.css, …       what it shares with the page of the server, from serve/page
//	wasm_exec.js                    starts programs of Go, from Go itself
//	fmimg.wasm.gzip                 the program of the folder wasm
//	mnist-fast.safetensors          the model, from models/mnist-fast
//
// The program is compressed here rather than by the server, whatever the server does.
package web
