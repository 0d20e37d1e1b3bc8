package simulation

import (
	"os"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// episode is one piece of trouble.
func (w *world) episode() {
	switch n := w.rnd.IntN(100); {
	case n < 40:
		w.vendorTrouble()
	case n < 48:
		w.stop()
		time.Sleep(w.upTo(time.Second, 50*time.Minute))
	case n < 52: // longer than NXCLOUD tries
		w.stop()
		time.Sleep(w.upTo(61*time.Minute, 3*time.Hour))
	case n < 54 && len(w.limits.Down) < 40: // longer than UCloud keeps
		w.stop()
		time.Sleep(w.upTo(71*time.Hour, 90*time.Hour))
	case n < 62:
		w.kill()
		time.Sleep(w.upTo(0, 10*time.Minute))
	case n < 64:
		w.crashLoop()
	case n < 72:
		w.databaseTrouble()
	case n < 78:
		w.clockTrouble()
	case n < 90:
		w.reloadTrouble()
	default:
		w.populate(1+w.rnd.IntN(3), 3*time.Hour)
		w.tell("new work")
		w.write(w.render())
	}
}

// vendorTrouble switches one fault on for some time or some requests. One in
// three kills falls into it.
func (w *world) vendorTrouble() {
	if w.chance(20) {
		class := 1 + cutClass(w.rnd.IntN(int(cutClasses)-1))
		w.tell("the next page is cut (%d)", class)
		w.mu.Lock()
		w.cutNext = class
		w.mu.Unlock()
		w.trouble(sandbox.UCloud)
		w.send(w.upTo(time.Second, time.Minute))
		time.Sleep(w.upTo(time.Minute, 6*time.Minute))
		w.calmAfter(0, sandbox.UCloud)
		return
	}
	f := w.fault()
	w.tell("fault %s %s %+v", f.Vendor, f.Kind, f)
	if f.Vendor != sandbox.NXCloud {
		w.trouble(f.Vendor)
	}
	_, err := w.vendors.AddFault(f)
	w.must(err)
	switch f.Vendor { // something for it to strike
	case sandbox.UCloud:
		w.send(w.upTo(time.Second, 10*time.Minute))
	case sandbox.NXCloud:
		w.batch(w.upTo(time.Second, 10*time.Minute))
	}
	time.Sleep(w.upTo(10*time.Second, 15*time.Minute))
	if w.chance(20) {
		w.kill()
		time.Sleep(w.upTo(0, time.Minute))
		w.start()
	}
	w.vendors.ClearFaults()
	if f.Vendor != sandbox.NXCloud {
		w.calmAfter(time.Duration(f.RetryAfter)+timeout, f.Vendor)
	}
}

// fault draws one of every kind that has a meaning somewhere.
func (w *world) fault() sandbox.Fault {
	polls := []sandbox.Vendor{sandbox.GlobFax, sandbox.Itniotech, sandbox.UCloud}
	all := append(polls[:3:3], sandbox.NXCloud)
	kinds := []struct {
		kind    sandbox.FaultKind
		vendors []sandbox.Vendor
	}{
		{sandbox.Delay, all}, {sandbox.RateLimit, polls}, {sandbox.ServerError, polls}, {sandbox.Refuse, polls[1:]},
		{sandbox.HTML, polls}, {sandbox.Truncate, all}, {sandbox.Unreachable, all}, {sandbox.ResetBefore, polls},
		{sandbox.ResetAfter, all}, {sandbox.Oversize, polls}, {sandbox.WrongID, polls[:2]}, {sandbox.Skew, polls[1:2]},
		{sandbox.Odd, all}, {sandbox.CloseIdle, polls}, {sandbox.Duplicate, all[3:]}, {sandbox.Conflict, all[3:]},
	}
	k := kinds[w.rnd.IntN(len(kinds))]
	f := sandbox.Fault{Kind: k.kind, Vendor: k.vendors[w.rnd.IntN(len(k.vendors))], Acted: w.chance(50), Fraction: float64(w.rnd.IntN(100)) / 100}
	switch w.rnd.IntN(3) {
	case 0:
		f.Next = 1 + w.rnd.IntN(4)
	case 1:
		f.Probability = 0.3
	}
	switch f.Kind {
	case sandbox.Delay:
		f.Delay = sandbox.Duration(w.upTo(time.Second, 45*time.Second))
	case sandbox.RateLimit:
		if w.chance(50) {
			f.RetryAfter = sandbox.Duration(w.upTo(time.Second, 10*time.Minute).Truncate(time.Second))
		}
	case sandbox.Refuse:
		f.Code = map[sandbox.Vendor][]string{
			sandbox.Itniotech: {"-1", "-15", "-16", "-18", "-22"}, sandbox.UCloud: {"153", "171", "292", "18004", "18000", "99999"},
		}[f.Vendor][w.rnd.IntN(5)]
	case sandbox.Skew:
		f.Skew = sandbox.Duration(time.Hour)
	case sandbox.Oversize:
		f.Next = 1 // 16 MiB each
		f.Probability = 0
	}
	return f
}

// crashLoop is a program that dies soon after each start, for over an hour.
func (w *world) crashLoop() {
	w.tell("crash loop")
	for end := time.Now().Add(w.upTo(20*time.Minute, 2*time.Hour)); time.Now().Before(end); {
		w.kill()
		time.Sleep(w.upTo(time.Minute, 25*time.Minute))
		w.start()
		time.Sleep(w.upTo(0, 10*time.Second))
	}
}

// databaseTrouble lets the database fail, sometimes with no place for spill
// files either.
func (w *world) databaseTrouble() {
	mode := int64(1 + w.rnd.IntN(4))
	blocked := w.chance(30) && os.Remove(w.path+".spill") != nil
	if blocked {
		if _, err := os.Stat(w.path + ".spill"); err == nil {
			blocked = false
		} else {
			w.must(os.WriteFile(w.path+".spill", nil, 0o600))
		}
	}
	spill := w.path + ".spill"
	w.tell("the database fails (%d), no spill file: %t", mode, blocked)
	if w.chance(50) {
		w.send(w.upTo(time.Second, time.Minute))
		w.mu.Lock()
		w.failNext = mode
		w.mu.Unlock()
		time.Sleep(w.upTo(time.Minute, 4*time.Minute))
		w.mu.Lock()
		w.failNext = dbSound
		w.mu.Unlock()
	}
	w.failDB(mode)
	if w.chance(70) {
		time.Sleep(w.upTo(5*time.Second, 10*time.Minute))
	} else {
		time.Sleep(w.upTo(10*time.Minute, 100*time.Minute))
	}
	switch {
	case w.chance(20):
		w.stop()
		w.start()
	case w.chance(20):
		w.kill()
	}
	if blocked {
		w.must(os.Remove(spill))
		if w.path+".spill" != spill {
			w.must(os.Remove(w.path + ".spill"))
		}
	}
	w.failDB(dbSound)
	w.tell("the database works")
	w.start()
}

// clockTrouble sets the program's clock an hour ahead or back, and right again.
func (w *world) clockTrouble() {
	by := time.Hour
	if w.chance(50) {
		by = -by
	}
	w.tell("the clock jumps by %s", by)
	w.shift(by)
	time.Sleep(w.upTo(time.Second, 20*time.Minute))
	switch {
	case w.chance(30):
		w.kill()
		w.start()
	case w.chance(30): // longer than NXCLOUD tries, under the same wrong clock
		w.kill()
		time.Sleep(w.upTo(61*time.Minute, 2*time.Hour))
		w.start()
	}
	time.Sleep(w.upTo(time.Second, 20*time.Minute))
	w.tell("the clock is right again")
	w.shift(0)
}

// reloadTrouble is a merge: one that does not load, one that forgets too much, or
// one that forgets and, later, declares again.
func (w *world) reloadTrouble() {
	reload := func() {
		if w.chance(50) {
			w.post("/-/reload")
		} else {
			time.Sleep(11 * time.Second)
		}
	}
	switch w.rnd.IntN(4) {
	case 0:
		w.tell("a reload that does not parse")
		w.write("resource \"globfax_recipient\" {")
		reload()
		time.Sleep(w.upTo(time.Second, 10*time.Minute))
		if w.chance(30) {
			w.stop()
			w.start()
		}
	case 1:
		w.tell("a reload that would forget everything")
		w.write(emptied(w.render()))
		reload()
		time.Sleep(w.upTo(time.Second, 10*time.Minute))
	case 2:
		w.tell("a reload that forgets the policy")
		w.declare.noPolicy = true
		w.trouble(sandbox.UCloud)
		w.write(w.render())
		reload()
		time.Sleep(w.upTo(time.Second, 30*time.Minute))
		w.declare.noPolicy = false
		w.write(w.render())
		reload()
		w.calmAfter(0, sandbox.UCloud)
		return
	default:
		w.tell("a reload that forgets, and declares others")
		for _, t := range w.declare.all() {
			if w.chance(30) {
				t.declared = !t.declared
			}
		}
	}
	w.write(w.render())
	reload()
	w.tell("reloaded")
}

// emptied is a configuration that declares nothing any more, under a limit that
// refuses it.
func emptied(text string) string {
	text = strings.Replace(text, `max_forget = "100%"`, `max_forget = 1`, 1)
	at := strings.Index(text, `resource "globfax_recipient"`)
	return text[:at]
}
