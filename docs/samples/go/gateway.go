// The gateway API in Go, with the standard library alone.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"time"
)

const usage = `usage:
  gateway deposit ORDER_NO AMOUNT_X100 NOTIFY_URL
  gateway deposit-status ORDER_NO
  gateway payout ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
  gateway payout-status ORDER_NO
  gateway balance`

// canonical returns the string that is signed. All values here are texts; amounts may be sent as their digits.
func canonical(params map[string]string) string {
	pairs := []string{}
	for name, value := range params {
		if name != "sign" && name != "sign_type" && value != "" {
			pairs = append(pairs, name+"="+value)
		}
	}
	// By name, not by pair: "a=" must come before "a_b=".
	sort.Slice(pairs, func(i, j int) bool {
		one, _, _ := strings.Cut(pairs[i], "=")
		other, _, _ := strings.Cut(pairs[j], "=")
		return one < other
	})
	return strings.Join(pairs, "&")
}

func call(method, path string, body map[string]string) (string, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequest(method, os.Getenv("DIAMONDPAY_URL")+"/gateway/api"+path, bytes.NewReader(content))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if method == "GET" {
		request.Header.Set("Authorization", os.Getenv("AUTHORIZATION"))
	}
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	found, err := io.ReadAll(answer.Body)
	return string(found), err
}

func create(path string, params map[string]string) (string, error) {
	params["platform_id"] = os.Getenv("PLATFORM_ID")
	params["request_time"] = fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(os.Getenv("PLATFORM_KEY")))
	mac.Write([]byte(canonical(params)))
	params["sign_type"] = "HMAC-SHA256"
	params["sign"] = hex.EncodeToString(mac.Sum(nil))
	return call("POST", path, params)
}

func do(a []string) (string, error) {
	switch {
	case len(a) == 4 && a[0] == "deposit":
		return create("/v2/payments", map[string]string{
			"service_id": "SVC0001", "payment_cl_id": a[1], "amount": a[2], "notify_url": a[3]})
	case len(a) == 5 && a[0] == "payout":
		return create("/v2/payouts", map[string]string{
			"service_id": "SVC0004", "payout_cl_id": a[1], "amount": a[2], "name": a[3], "number": a[4]})
	case len(a) == 2 && a[0] == "deposit-status":
		return call("GET", "/v2/payments/"+url.PathEscape(a[1]), nil)
	case len(a) == 2 && a[0] == "payout-status":
		return call("GET", "/v2/payouts/"+url.PathEscape(a[1]), nil)
	case len(a) == 1 && a[0] == "balance":
		return call("GET", "/v2/platforms/balance", nil)
	}
	return "", fmt.Errorf(usage)
}

func main() {
	answer, err := do(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}
