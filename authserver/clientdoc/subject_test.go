package clientdoc

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// der is a name whose steps are written "CN=x" or "O=x+CN=y", first step first.
func der(t *testing.T, steps ...string) []byte {
	t.Helper()
	var name pkix.RDNSequence
	for _, step := range steps {
		var set pkix.RelativeDistinguishedNameSET
		for one := range strings.SplitSeq(step, "+") {
			kind, value, _ := strings.Cut(one, "=")
			set = append(set, pkix.AttributeTypeAndValue{Type: identifier(t, kinds[kind]), Value: value})
		}
		name = append(name, set)
	}
	return marshalled(t, name)
}

func identifier(t *testing.T, dotted string) (id asn1.ObjectIdentifier) {
	t.Helper()
	for part := range strings.SplitSeq(dotted, ".") {
		n := 0
		for _, digit := range part {
			n = 10*n + int(digit-'0')
		}
		id = append(id, n)
	}
	return id
}

func marshalled(t *testing.T, name any) []byte {
	t.Helper()
	raw, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSubjects(t *testing.T) {
	robot := der(t, "O=Acme", "CN=robot")
	blob := marshalled(t, pkix.RDNSequence{{{Type: identifier(t, "2.5.4.3"), Value: asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte("robot")}}}})
	for _, row := range []struct {
		name string
		der  []byte
		text string
		want bool
	}{
		{"the same", robot, "CN=robot,O=Acme", true},
		{"kinds in lower case", robot, "cn=robot,o=Acme", true},
		{"kinds as numbers", robot, "2.5.4.3=robot,2.5.4.10=Acme", true},
		{"escaped", robot, `CN=\72obo\74,O=Acme`, true},
		{"in hexadecimal", robot, "CN=#1305726f626f74,O=Acme", true},
		{"two attributes in a step", der(t, "C=DE", "O=Acme+CN=robot"), "O=Acme+CN=robot,C=DE", true},
		{"in the other order within a step", der(t, "O=Acme+CN=robot"), "CN=robot+O=Acme", true},
		{"a step twice", der(t, "DC=example", "DC=eu", "CN=x"), "CN=x,DC=eu,DC=example", true},
		{"a comma in a value", der(t, "CN=a, b"), `CN=a\, b`, true},
		{"an equals sign in a value", der(t, "CN=a=b"), "CN=a=b", true},
		{"letters beyond ASCII", der(t, "CN=Jürgen"), `CN=J\c3\bcrgen`, true},

		{"a name before the last one", der(t, "O=Acme", "CN=attacker", "CN=robot"), "CN=robot,O=Acme", false},
		{"steps in another order", der(t, "CN=robot", "O=Acme"), "CN=robot,O=Acme", false},
		{"steps made one", der(t, "O=Acme+CN=robot"), "CN=robot,O=Acme", false},
		{"one step made two", robot, "CN=robot+O=Acme", false},
		{"a step fewer", robot, "CN=robot", false},
		{"a step more", robot, "CN=robot,O=Acme,C=DE", false},
		{"a name that says two attributes in a value", der(t, "CN=robot,O=Acme"), "CN=robot,O=Acme", false},
		{"another case of a value", robot, "CN=Robot,O=Acme", false},
		{"another string type in hexadecimal", robot, "CN=#0c05726f626f74,O=Acme", false},
		{"a string whose bytes are no UTF-8 for sure", blob, "CN=robot", false},
		{"and that in hexadecimal", blob, "CN=#1405726f626f74", true},
		{"no name at all", der(t), "CN=robot", false},
		{"bytes behind the name", append(robot, 0), "CN=robot,O=Acme", false},
	} {
		if got := SubjectIs(row.der, row.text); got != row.want {
			t.Errorf("%s: %s: %v", row.name, row.text, got)
		}
	}
}

func TestSubjectsHaveOneMeaning(t *testing.T) {
	for _, text := range []string{
		"", "robot", "=robot", "CN=", "CN=robot,", ",CN=robot", "CN=robot, O=Acme", "CN = robot", "CN= robot", "CN=robot ",
		"CN=robot;O=Acme", `CN="robot"`, "CN=<robot", "CN=a+CN=b", "XY=robot", "2.5.04.3=robot", "2=robot", "2..3=robot", "OID.2.5.4.3=robot",
		"CN=#", "CN=#1", "CN=#zz", `CN=a\`, `CN=a\x`, `CN=a\1`, `CN=\ff`, "CN=\xff", "CN=a\x00", "CN=robot,O",
	} {
		if steps, err := parseSubject(text); err == nil || steps != nil {
			t.Errorf("%q is %v", text, steps)
		}
		if err := (CertificateName{Subject: text}).check(); err == nil {
			t.Errorf("%q was registered", text)
		}
	}
	if err := (CertificateName{Subject: `CN=robot\+1,OU=a b,O=Acme`}).check(); err != nil {
		t.Error(err)
	}
}

// What is read is in the text: no subject is both of two texts unless they say the same.
func FuzzSubject(f *testing.F) {
	f.Add("CN=robot,O=Acme")
	f.Add(`CN=a\2Cb+O=\ x\ ,1.2.3=#0500`)
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := parseSubject(text)
		if (err == nil) != (steps != nil) {
			t.Fatalf("%v, %v", steps, err)
		}
		for _, step := range steps {
			for _, a := range step {
				if a.kind == "" || a.value == "" || strings.Trim(a.kind, "0123456789.") != "" {
					t.Fatalf("%q: %+v", text, a)
				}
			}
		}
	})
}
