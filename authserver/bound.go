package authserver

// resourceFor resolves the resource parameter for one client.
func (s *Server) resourceFor(asked string, c client) (Resource, error) {
	res, err := s.catalogue.find(asked)
	if err != nil {
		return Resource{}, err
	}
	return res, c.reaches(res)
}

// reaches: a client that an operator bounded gets no token for a resource of
// which it has no scope, not even one without any. RFC 8707 §2: the resource is
// what cannot be had, whatever scope is asked for, so that is the error.
func (c client) reaches(r Resource) error {
	if c.Bounded && len(intersect(c.Scope, r.names())) == 0 {
		return refuse(TargetNotAllowed)
	}
	return nil
}
