package director

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/conf"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// earlySpeakerVariable has the descriptor of the file in which a binary that is
// replaced leaves what an early speaker needs. The file has no name, because it
// contains keys. The variable's name is part of the interface between binaries.
const earlySpeakerVariable = "HOLDFAST_STAND_IN"

// earlySpeakerVersion is the version of what follows the processState in the file. A
// binary that finds another version starts without an early speaker.
const earlySpeakerVersion = 1

// A processState comes first in the file, in every version: what the new binary has
// whether it can use it or not.
type processState struct {
	Version int
	Usual   unix.SchedAttr // the scheduling that its threads are to have
	Sockets []port.OpenSocket
}

// An earlyUnits lists the units that an early speaker sends adverts for: those that
// are MASTER.
type earlyUnits struct {
	At    time.Duration // since boot
	Units []earlyUnit
}

type earlyUnit struct {
	Name    string // by which a speaker knows it
	Routers []earlyRouter
}

// An earlyRouter is a virtual router with what its adverts are made of.
type earlyRouter struct {
	Config vrrp.Config
	Auth   auth.Config
	TTL    uint8
	Index  int // the interface's
	Source netip.Addr
	MAC    frame.MAC // that adverts come from
	Weight int       // what trackers add to the priority
	Also   []wireTx
	Was    savedRouter
}

// --- the binary that is replaced

// saveEarlySpeaker has every MASTER send an advert, and writes what the new binary's
// early speaker needs. It returns the environment variable that names the file, and
// a function that undoes everything.
func (rs *routers) saveEarlySpeaker(usual unix.SchedAttr) (variable string, takeBack func() error, err error) {
	if err := rs.speaker.AdvertiseNow(); err != nil {
		return "", nil, err
	}
	at := sinceBoot()
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return "", nil, err
	}
	fd, err := unix.MemfdCreate("holdfast-early-speaker", 0)
	if err != nil {
		return "", nil, fmt.Errorf("make a file for the early speaker: %w", err)
	}
	file := os.NewFile(uintptr(fd), "holdfast-early-speaker")
	sockets, err := rs.port.HandOn()
	if err == nil {
		to := gob.NewEncoder(file)
		err = errors.Join(to.Encode(processState{earlySpeakerVersion, usual, sockets}), to.Encode(rs.earlyUnits(at, &snap)))
	}
	takeBack = func() error { return errors.Join(rs.port.Keep(), file.Close()) }
	if err != nil {
		return "", nil, errors.Join(err, takeBack())
	}
	return earlySpeakerVariable + "=" + strconv.Itoa(fd), takeBack, nil
}

// earlyUnits lists the units that are MASTER in every member.
func (rs *routers) earlyUnits(at time.Duration, snap *speaker.Snapshot) earlyUnits {
	s := earlyUnits{At: at}
	for _, u := range rs.units {
		early := earlyUnit{Name: u.speakerName()}
		for i := range u.members {
			in := rs.instances[u.members[i].Name]
			if st, ok := snap.Routers[in.conf.Name]; ok && st.Resume.State == vrrp.Master {
				early.Routers = append(early.Routers, in.earlyRouter(snap.At, st))
			}
		}
		if len(early.Routers) == len(u.members) {
			s.Units = append(s.Units, early)
		}
	}
	return s
}

func (in *instance) earlyRouter(now time.Time, st *speaker.Status) earlyRouter {
	s := txSourceOf(in)
	return earlyRouter{
		Config: st.Config, Auth: in.conf.Auth.Config, TTL: in.conf.TTL,
		Index: s.index, Source: s.source, MAC: s.advertMAC, Weight: in.weight, Also: in.wireTx(), Was: saveRouter(now, st),
	}
}

// --- the binary that goes on

// An EarlySpeaker sends adverts for what the former binary was MASTER of, from the
// first moment of the new binary until its director speaks itself: to read the
// configuration and to look at a thousand devices may take longer than
// Master_Down_Interval. It reads what has arrived before it sends, and stops sending
// for a router of which somebody else is MASTER. It changes no device.
type EarlySpeaker struct {
	speaker *speaker.Speaker
}

// NewEarlySpeaker returns the early speaker for which the former binary left a file,
// or nil if there is none. Call it before anything that takes time.
func NewEarlySpeaker() (*EarlySpeaker, error) {
	text, ok := os.LookupEnv(earlySpeakerVariable)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(earlySpeakerVariable) // no child is to inherit it; the name is a valid one
	fd, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", earlySpeakerVariable, err)
	}
	file := os.NewFile(uintptr(fd), "holdfast-early-speaker")
	if file == nil {
		return nil, fmt.Errorf("%s: no descriptor", earlySpeakerVariable)
	}
	defer file.Close()
	var left processState
	defer func() { unboostThreads(left.Usual) }()
	s, err := readEarlySpeaker(file, &left)
	if err != nil {
		return nil, fmt.Errorf("go on sending adverts during the start: %w", err)
	}
	return s, nil
}

func readEarlySpeaker(file *os.File, left *processState) (*EarlySpeaker, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	from := gob.NewDecoder(file)
	if err := from.Decode(left); err != nil {
		return nil, err
	}
	p, err := port.Inherit(left.Sockets)
	if err != nil {
		return nil, err
	}
	var all earlyUnits
	if left.Version != earlySpeakerVersion {
		err = fmt.Errorf("what was left is of version %d, not %d", left.Version, earlySpeakerVersion)
	} else {
		err = from.Decode(&all)
	}
	if err != nil {
		p.Shutdown()
		return nil, err
	}
	return startEarlySpeaker(p, &all), nil
}

// startEarlySpeaker starts a speaker that sends adverts for all units. It takes the
// port over.
func startEarlySpeaker(p *port.Port, all *earlyUnits) *EarlySpeaker {
	s := &EarlySpeaker{speaker.New(speaker.Options{
		Port: &vrrpPort{Port: p}, Log: slog.New(slog.DiscardHandler), // the director's speaker says the same
		Order: func([]speaker.Order) {}, Report: func(speaker.Report) {},
	})}
	go func() {
		_ = goRealtime() // the director logs the failure of its own
		_ = s.speaker.Run()
		p.Shutdown()
	}()
	at := clock(all.At)
	for part := range slices.Chunk(all.Units, unitsPerTurn) {
		var units []speaker.Unit
		for i := range part {
			if u, err := part[i].unit(at); err == nil {
				units = append(units, u)
			}
		}
		s.speaker.Add(units...)
	}
	return s
}

func (u *earlyUnit) unit(at time.Time) (speaker.Unit, error) {
	unit := speaker.Unit{Name: u.Name}
	for i := range u.Routers {
		r := &u.Routers[i]
		in := conf.Instance{Config: r.Config, TTL: r.TTL}
		in.Auth.Config = r.Auth
		tx, err := newTxConfig(txSource{index: r.Index, source: r.Source, group: r.Config.MulticastGroup(), advertMAC: r.MAC}, nil)
		if err == nil {
			err = addRecipients(&tx, &in, r.MAC)
		}
		if in.Fast { // a MASTER answers, and bids for nothing
			addBackup(&tx, in.Auth.Kind == auth.Header, frame.MAC{})
		}
		if err == nil {
			err = addWires(&tx, &r.Config, &r.Auth, r.Also)
		}
		if err != nil {
			return unit, err
		}
		unit.Routers = append(unit.Routers, speaker.Router{
			Config: r.Config, Tx: tx, Events: []vrrp.Event{vrrp.TrackerWeight{Sum: r.Weight}, r.Was.event(at)},
			Marks: r.Was.Marks,
		})
	}
	return unit, nil
}

// resumes returns the present states of the virtual routers that the early speaker
// sends adverts for. It may be called on nil, as may relieve and end.
func (s *EarlySpeaker) resumes() map[string]*speaker.Status {
	if s == nil {
		return nil
	}
	snap, err := s.speaker.Snapshot()
	if err != nil {
		return nil
	}
	return snap.Routers
}

// relieve has the early speaker drop units that the director's own speaker has now.
func (s *EarlySpeaker) relieve(list []unit) {
	if s == nil {
		return
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	_ = s.speaker.Drop(names...) // it may have ended
}

// end ends the early speaker.
func (s *EarlySpeaker) end() {
	if s != nil {
		s.speaker.Quit()
	}
}
