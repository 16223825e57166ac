// Package page serves the page of the server: what a person sees in a browser.
//
// The folder files is the page as the browser gets it. Nothing builds it, and it needs nothing from
// elsewhere. index.html holds every control, each with an id; a template stands for each thing that
// there are several of. The styles are base.css (colours and frame), controls.css, and one for each
// part of the page. The scripts are modules, each with one job:
//
//	main.js         the tabs, and the address that says what they show
//	drawtab.js      draws images: settings.js and classes.js say what, stage.js shows it
//	  stage.js      shows one drawing.js (a job), in a gallery.js, with a way.js (the slider)
//	  panel.js      is about one image: tools.js edit it, by a mask.js, cells.js, upload.js
//	runstab.js      watches trainings: runlist.js, runview.js, plot.js with scale.js and curves.js
//	  asking.js     sends the dialogs starting.js, distilling.js and removing.js
//	api.js          speaks to the server; stream.js follows its events
//	connection.js   says that the server is gone; login.js asks for its token
//	problems.js     shows what is wrong next to the control that it is about
//
// The scripts know the server's answers, and the ids of index.html, and nothing else: what a model
// can do, its defaults and its classes all come from the server. What the page shows stands in the
// fragment of its address, so a reload or a link shows the same.
//
// No script or style is written inside the HTML, so that the strictest Content-Security-Policy
// holds.
package page
