// The payment-detail API in Go: go run detail.go detail ORDER_NO | notify ORDER_NO
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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
	answer, err := call("GET", "/payment/"+os.Args[1]+"?outTradeNo="+url.QueryEscape(os.Args[2]), "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}
