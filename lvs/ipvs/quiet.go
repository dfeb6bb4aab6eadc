package ipvs

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
)

// moby/ipvs logs through logrus's global logger to standard error. What it
// says goes to the logger that was given to the last Open instead.
var (
	silenced sync.Once
	mobyLog  atomic.Pointer[slog.Logger]
)

func quiet(log *slog.Logger) {
	mobyLog.Store(log)
	silenced.Do(func() {
		logrus.SetOutput(io.Discard)
		logrus.AddHook(toSlog{})
	})
}

type toSlog struct{}

func (toSlog) Levels() []logrus.Level { return logrus.AllLevels }

func (toSlog) Fire(e *logrus.Entry) error {
	// Open has looked for the family and the module itself by now and tells
	// what is wrong in its error, so nothing said here is news.
	mobyLog.Load().Debug("moby/ipvs: "+e.Message, "level", e.Level.String())
	return nil
}
