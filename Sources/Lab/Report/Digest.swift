import Crypto
import Foundation

/// As a content security policy names a script.
func sha256Base64(_ text: String) -> String {
    Data(SHA256.hash(data: Array(text.utf8))).base64EncodedString()
}
