// The payment-detail API in Go: go run detail.go
// create ORDER_NO CHAIN_ID TOKEN AMOUNT NOTIFY_URL | detail ORDER_NO | notify ORDER_NO
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

func call(method, path, body string) (string, error) {
	moment := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(os.Getenv("PAY_SECRET")))
	mac.Write([]byte(moment + method + path + body))
	request, err := http.NewRequest(method, os.Getenv("DIAMONDPAY_URL")+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("X-PAY-KEY", os.Getenv("PAY_KEY"))
	request.Header.Set("X-PAY-TIMESTAMP", moment)
	request.Header.Set("X-PAY-SIGN", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
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

func main() {
	method, path, body := "GET", "/payment/"+os.Args[1]+"?outTradeNo="+url.QueryEscape(os.Args[2]), ""
	if os.Args[1] == "create" {
		chain, _ := strconv.Atoi(os.Args[3])
		wanted, _ := json.Marshal(map[string]any{
			"chainId": chain, "description": "A sample order", "outTradeNo": os.Args[2], "isLegalTender": 0,
			"quoteCurrencySymbol": os.Args[4], "quoteAmount": os.Args[5], "notifyUrl": os.Args[6],
		})
		method, path, body = "POST", "/payment/createPaymentOrder", string(wanted)
	}
	answer, err := call(method, path, body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}
