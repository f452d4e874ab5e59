package rar_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/portner-go/portner/rar"
)

// paymentType is a type whose details the user approves one by one on the consent page.
func paymentType() rar.Type {
	return rar.Type{
		Name: "urn:example:payment", Members: []string{"amount"},
		Validate: func(d rar.Detail) error {
			var payment struct{ Amount int }
			if err := json.Unmarshal(d.JSON, &payment); err != nil || payment.Amount <= 0 {
				return fmt.Errorf("%w: amount must be a positive number", rar.ErrValue)
			}
			return nil
		},
		Describe: func(_ context.Context, _ rar.Request, details []rar.Detail) (texts []rar.Text, err error) {
			for _, d := range details {
				var payment struct{ Amount int }
				if err := json.Unmarshal(d.JSON, &payment); err != nil {
					return nil, err
				}
				texts = append(texts, rar.Text{Title: fmt.Sprintf("Pay %d kroner", payment.Amount)})
			}
			return texts, nil
		},
		Grant: func(_ context.Context, _ rar.Request, approved []rar.Detail, _ []string) (granted []json.RawMessage, err error) {
			for _, d := range approved {
				granted = append(granted, d.JSON)
			}
			return granted, nil
		},
	}
}

// A client requests two payments, and the user approves one of them.
func Example() {
	ctx := context.Background()
	types, err := rar.NewRegistry(paymentType())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = types.Parse([]byte(`[{"type":"urn:example:payment","amount":-5}]`))
	fmt.Println(err)

	details, _ := types.Parse([]byte(`[{"type":"urn:example:payment","amount":100},{"type":"urn:example:payment","amount":900}]`))
	offer, _ := types.Offer(ctx, rar.Request{ClientID: "shop", Subject: "user-4711"}, details)
	for _, shown := range offer.Approvable { // the consent page
		fmt.Println(shown.ID, shown.Title)
	}
	granted, err := offer.Grant(ctx, nil, []string{offer.Approvable[0].ID})
	fmt.Println(string(granted), err)

	// A token request cannot name the other payment.
	_, err = rar.Narrow([]byte(`[{"type":"urn:example:payment","amount":900}]`), granted)
	fmt.Println(err)
	// Output:
	// rar: invalid value: amount must be a positive number
	// detail 1 Pay 100 kroner
	// detail 2 Pay 900 kroner
	// [{"type":"urn:example:payment","amount":100}] <nil>
	// rar: not granted
}

func ExampleRegistry() {
	types, _ := rar.NewRegistry(rar.Type{
		Name: "urn:example:case", Members: []string{"case"},
		Grant: func(_ context.Context, _ rar.Request, ds []rar.Detail, _ []string) ([]json.RawMessage, error) {
			return []json.RawMessage{ds[0].JSON}, nil // load the case here
		},
	})
	details, err := types.Parse([]byte(`[{"type":"urn:example:case","case":"2026/17"}]`))
	fmt.Println(len(details), err)
	_, err = types.Parse([]byte(`[{"type":"urn:example:other"}]`))
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// rar: unknown type
}
