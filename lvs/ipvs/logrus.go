package ipvs

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
)

// moby/ipvs logs through logrus's global logger to standard error. These
// messages go to the logger of the last Open instead.
var (
	redirected sync.Once
	mobyLog    atomic.Pointer[slog.Logger]
)

func redirectLogrus(log *slog.Logger) {
	mobyLog.Store(log)
	redirected.Do(func() {
		logrus.SetOutput(io.Discard)
		logrus.AddHook(toSlog{})
	})
}

// toSlog is a logrus hook that passes messages on to mobyLog.
type toSlog struct{}

func (toSlog) Levels() []logrus.Level { return logrus.AllLevels }

func (toSlog) Fire(e *logrus.Entry) error {
	// At level debug, because Open itself checks the family and the module and
	// returns what is wrong as an error.
	mobyLog.Load().Debug("moby/ipvs: "+e.Message, "level", e.Level.String())
	return nil
}
