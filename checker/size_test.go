package checker

import (
	"reflect"
	"testing"
	"unsafe"
)

// There may be ten thousand questions, and the runtime has no size of memory between 480
// and 512 bytes. What only few questions need belongs in an extra.
func TestQuestionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(question{}); size > 480 {
		t.Errorf("a question takes %d bytes", size)
	}
}

// ordinaryIsNotWritten fails if one of the questions that share an extra has written it.
func ordinaryIsNotWritten(t *testing.T) {
	t.Helper()
	if !reflect.DeepEqual(ordinary, extra{}) {
		t.Errorf("somebody has written what all questions share: %+v", ordinary)
	}
}
