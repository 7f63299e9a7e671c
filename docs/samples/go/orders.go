// The transaction-request API in Go: orders deposit ORDER_NO AMOUNT WEBHOOK_URL | status ORDER_NO
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
	"strings"
	"time"
)

func call(method, path string, body any) (string, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	address := os.Getenv("DIAMONDPAY_URL") + "/api/v2/merchant/" + path
	request, err := http.NewRequest(method, address, bytes.NewReader(content))
	if err != nil {
		return "", err
	}
	accessKey, moment := os.Getenv("ACCESS_KEY"), fmt.Sprint(time.Now().UnixMilli())
	mac := hmac.New(sha256.New, []byte(os.Getenv("SECRET_KEY")))
	mac.Write([]byte(accessKey + "_" + moment))
	request.Header.Set("access-key", accessKey)
	request.Header.Set("timestamp", moment)
	request.Header.Set("signature", strings.ToUpper(hex.EncodeToString(mac.Sum(nil))))
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	found, err := io.ReadAll(answer.Body)
	return string(found), err
}

func do(a []string) (string, error) {
	if len(a) == 4 && a[0] == "deposit" {
		// The amount is sent as its digits, which keeps every decimal.
		return call("POST", "deposit", map[string]any{
			"client": map[string]string{"realName": "TEST_USER"}, "depositCurrency": "CNY", "fiatCurrency": "CNY",
			"depositAmount": a[2], "merchantOrderNo": a[1], "webhookUrl": a[3],
			"paymentMethod": map[string]int{"method": 1}})
	}
	if len(a) == 2 && a[0] == "status" {
		return call("GET", "transaction-request?merchantOrderNo="+url.QueryEscape(a[1]), nil)
	}
	return "", fmt.Errorf("usage: orders deposit ORDER_NO AMOUNT WEBHOOK_URL | status ORDER_NO")
}

func main() {
	answer, err := do(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}
