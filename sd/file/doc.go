// Package file is the Backend of package sd on a list in a file: what a configuration management
// tool, a ConfigMap or a hand writes. It only discovers: who announces in it gets an error.
//
// # Form
//
// One instance a line, its attributes after it:
//
//	# web servers of rack 7
//	192.0.2.1:8897 weight=50 zone=eu-1a version=2.1
//	[2001:db8::2]:8897
//
// A # at the beginning of a line or after a blank begins a comment. Every line ends in a newline,
// the last one too: a file without it is one that somebody is still writing. Weight and zone are
// what they are for every registry, all other keys are tags. An attribute that is wrong is left
// out, and its instance has the default; of more than 64 on one line, or in one group of the other
// form, none is read.
//
// The other form is the JSON of Prometheus' file_sd, told by its first characters, where the labels
// weight and zone and all others mean the same as above; labels that begin with __ are left out:
//
//	[{"targets": ["192.0.2.1:8897"], "labels": {"zone": "eu-1a", "version": "2.1"}}]
//
// So of a document of "daytimecli export prometheus" the names alone are read. It is for Prometheus:
// it has no weights, and lists who is drained.
//
// A name that stands twice counts once, with the attributes that stand first.
//
// # Unknown is not empty
//
// A set without instances is a file that says so: a comment, or []. A file of no bytes, or blanks,
// is what a full disk or an empty variable leaves behind, and is no set, and neither is a text in
// which not one line is an instance, nor JSON with a key that file_sd does not have. As long as the
// file is missing, may not be read or is none of the two forms, what was read before stands, and
// after a second Watch returns an error that names the line.
//
// # Changes
//
// The directory is watched, not the file (inotify(7) and its like, through fsnotify), and with it
// every directory in which a symbolic link on the way to the file lies. So a file that is replaced
// by a rename, or swapped as kubelet swaps a ConfigMap (it renames a link, ..data, that the file's
// own link leads through), is seen at once, as is one that is written in place. The file is also
// read every minute, for what sends no events, such as a change on an NFS server; where the system
// has no watch to give (fs.inotify.max_user_watches, or a directory that may not be read), every
// second.
//
// # A file that is being written
//
// is not read. On Linux the reader takes a read lease (fcntl(2), F_SETLEASE) for as long as it
// reads, which the kernel grants only while nobody has the file open for writing. Where it grants
// none to anybody (NFS, CIFS, FUSE, another user's file, other systems) the file must have been
// left alone for a quarter of a second. In both cases a program that opens the file anew for each
// line has written a whole file each time: let it write another one, and rename that.
package file
