// Say whether a notification is ours: verify WEBHOOK_ID TIMESTAMP SIGNATURES < body
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// isOurs compares with every signature that was sent. The body is the bytes that came, not JSON written anew.
func isOurs(webhookID, timestamp, signatures string, body []byte) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	age := time.Now().Unix() - seconds
	if err != nil || age > 300 || age < -300 {
		return false
	}
	mac := hmac.New(sha256.New, []byte(os.Getenv("PLATFORM_KEY")))
	mac.Write([]byte(webhookID + "." + timestamp + "."))
	mac.Write(body)
	wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, given := range strings.Split(signatures, " ") {
		if hmac.Equal([]byte(wanted), []byte(given)) {
			return true
		}
	}
	return false
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err == nil && len(os.Args) == 4 && isOurs(os.Args[1], os.Args[2], os.Args[3], body) {
		fmt.Println("valid")
		return
	}
	fmt.Println("invalid")
}
