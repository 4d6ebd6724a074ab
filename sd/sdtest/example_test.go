package sdtest_test

import (
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
)

// A Recorder takes what a Watch emits, and finds what no Watch may do: here somebody goes who was
// never there.
func ExampleRecorder() {
	r := sdtest.NewRecorder()
	r.Emit(sd.Change{Reset: true, Up: []string{"192.0.2.1:8897", "192.0.2.2:8897"}})
	r.Emit(sd.Change{Down: []string{"192.0.2.1:8897"}})
	fmt.Println(r.Is("192.0.2.2:8897"), r.Err())
	r.Emit(sd.Change{Down: []string{"192.0.2.3:8897"}})
	fmt.Println(r.Err())
	// Output:
	// <nil> <nil>
	// Down "192.0.2.3:8897" was not in the set ["192.0.2.2:8897"]
}
