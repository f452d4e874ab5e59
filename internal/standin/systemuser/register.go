package systemuser

import (
	"maps"
	"net/http"
	"slices"

	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/norway"
)

// systemBody is the body that registers or replaces a system.
type systemBody struct {
	ID     string `json:"id"`
	Vendor struct {
		Authority string `json:"authority"`
		ID        string `json:"ID"`
	} `json:"vendor"`
	Name                map[string]string `json:"name"`
	Description         map[string]string `json:"description"`
	Rights              []Right           `json:"rights"`
	AccessPackages      []AccessPackage   `json:"accessPackages"`
	ClientID            []string          `json:"clientId"`
	IsVisible           *bool             `json:"isVisible"`
	AllowedRedirectURLs []string          `json:"allowedRedirectUrls"`
}

// system returns the system of the body.
func (b *systemBody) system() System {
	return System{
		ID: b.ID, Vendor: Vendor{b.Vendor.ID}, Name: b.Name, Description: b.Description, Rights: b.Rights, AccessPackages: b.AccessPackages,
		ClientID: b.ClientID, IsVisible: b.IsVisible == nil || *b.IsVisible, AllowedRedirectURLs: b.AllowedRedirectURLs,
	}.withLists()
}

// readSystem reads the body, and reports what is wrong with the system alone.
func (c *call) readSystem() (System, []validationError, error) {
	var b systemBody
	if err := c.decode(&b); err != nil {
		return System{}, nil, err
	}
	s := b.system()
	errs := s.check()
	if b.Vendor.Authority != "" && b.Vendor.Authority != norway.Authority {
		errs = []validationError{errVendor}
	}
	if len(errs) > 0 && errs[0].Code == errVendor.Code {
		return s, nil, invalidBody(errs[:1])
	}
	return s, errs, nil
}

// createSystem registers a system. The response is the identifier of the record, as a JSON string.
func (c *call) createSystem() (answer, error) {
	s, errs, err := c.readSystem()
	if err != nil {
		return answer{}, err
	}
	if !c.owns(&s) {
		return answer{}, errForbidden
	}
	err = c.change(c.r.Context(), c.now, func(r records) (changes.Changes, error) {
		problems := slices.Clone(errs)
		known, err := r.system(s.ID)
		if err != nil {
			return nil, err
		}
		if known != nil {
			problems = append(problems, errSystemExists)
		}
		taken, err := r.clientTaken(s.ClientID, s.ID)
		if err != nil {
			return nil, err
		}
		if taken {
			problems = append(problems, errClientTaken)
		}
		if err := invalidBody(problems); err != nil {
			return nil, err
		}
		return r.logged.With(listSystems, s.ID, encode(s)), nil
	})
	return answer{status: http.StatusOK, body: seal.NewUUID()}, err
}

// updated is the response to a change of a system.
var updated = answer{status: http.StatusOK, body: map[string]bool{"succeeded": true}}

// replaceSystem replaces a system.
func (c *call) replaceSystem() (answer, error) {
	id := c.r.PathValue("systemId")
	s, errs, err := c.readSystem()
	if err != nil {
		return answer{}, err
	}
	err = c.change(c.r.Context(), c.now, func(r records) (changes.Changes, error) {
		known, err := r.system(id)
		switch {
		case err != nil:
			return nil, err
		case known == nil:
			return nil, texted(http.StatusNotFound, "system_unknown", "System with ID '"+id+"' not found.")
		case !c.owns(known): // before the vendor of the body is compared: it would tell who owns the system
			return nil, errForbidden
		case s.Vendor != known.Vendor:
			return nil, texted(http.StatusNotFound, "vendor_mismatch", "System with ID '"+id+"' not found.")
		case s.ID != id:
			return nil, invalidBody([]validationError{errSystemMismatch})
		case known.IsDeleted:
			return nil, errDeleted
		}
		taken, err := r.clientTaken(s.ClientID, id)
		if err != nil {
			return nil, err
		}
		problems := slices.Clone(errs)
		if taken {
			problems = append(problems, errClientTaken)
		}
		if err := invalidBody(problems); err != nil {
			return nil, err
		}
		return r.logged.With(listSystems, id, encode(s)), nil
	})
	return updated, err
}

// deleteSystem marks a system as deleted: its system users are found no longer, and its clients are free.
func (c *call) deleteSystem() (answer, error) {
	id := c.r.PathValue("systemId")
	err := c.change(c.r.Context(), c.now, func(r records) (changes.Changes, error) {
		s, err := r.system(id)
		switch {
		case err != nil:
			return nil, err
		case s == nil:
			return nil, malformed("return", "System not found")
		case !c.owns(s):
			return nil, errForbidden
		}
		s.IsDeleted = true
		return r.logged.With(listSystems, id, encode(s)), nil
	})
	return updated, err
}

// vendorSystem returns a system of the vendor, also a deleted one.
func (c *call) vendorSystem() (answer, error) {
	r, err := c.load(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	s, err := r.system(c.r.PathValue("systemId"))
	switch {
	case err != nil:
		return answer{}, err
	case s == nil:
		return answer{}, bare(http.StatusNotFound, "system_unknown")
	case !c.owns(s):
		return answer{}, errForbidden
	}
	return answer{status: http.StatusOK, body: s}, nil
}

// summary is a system as users and lists of vendors see it.
type summary struct {
	SystemID            string            `json:"systemId"`
	SystemVendorOrgno   string            `json:"systemVendorOrgNumber"`
	SystemVendorOrgName string            `json:"systemVendorOrgName"`
	Name                map[string]string `json:"name"`
	Description         map[string]string `json:"description"`
	Rights              []Right           `json:"rights"`
	AccessPackages      []AccessPackage   `json:"accessPackages"`
	IsVisible           bool              `json:"isVisible"`
}

// summaries returns the systems that are not deleted and match.
func (c *call) summaries(matches func(*System) bool) ([]summary, error) {
	r, err := c.load(c.r.Context())
	if err != nil {
		return nil, err
	}
	all, err := list[System](r, listSystems)
	out := []summary{}
	for i := range all {
		if s := &all[i]; !s.IsDeleted && matches(s) {
			out = append(out, summary{s.ID, s.Vendor.Orgno(), c.nameOf(s.Vendor.Orgno()), maps.Clone(s.Name), maps.Clone(s.Description), s.Rights, s.AccessPackages, s.IsVisible})
		}
	}
	return out, err
}

// nameOf returns the name of an organisation, "" if it has none.
func (c *call) nameOf(orgno string) string {
	p, err := c.cfg.Parties.Organisation(c.r.Context(), orgno)
	if err != nil {
		return "" // the name is for people; the number decides
	}
	return p.Name
}

// listSystems returns the visible systems.
func (c *call) listSystems() (answer, error) {
	all, err := c.summaries(func(*System) bool { return true })
	return answer{status: http.StatusOK, body: all}, err
}

// vendorSystems returns the systems of the vendor.
func (c *call) vendorSystems() (answer, error) {
	all, err := c.summaries(func(s *System) bool { return s.Vendor.Orgno() == c.vendor() })
	return answer{status: http.StatusOK, body: all}, err
}

// showSystem returns a system to a user.
func (c *call) showSystem() (answer, error) {
	all, err := c.summaries(func(s *System) bool { return s.ID == c.r.PathValue("systemId") })
	if err == nil && len(all) == 0 {
		err = bare(http.StatusNotFound, "system_unknown")
	}
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: all[0]}, nil
}
