import Crypto
import Foundation

/// The public keys whose signatures count: `*.pem` of a directory, Ed25519, as `openssl pkey -pubout` writes them.
struct TrustStore: Sendable {
    /// By file name without `.pem`, which records call the signer.
    private let keys: [(name: String, key: Curve25519.Signing.PublicKey)]

    /// A directory that is not there has no keys.
    /// - Throws: a file that is no such key: a key that is silently left out would refuse what it has signed.
    init(directory: String) throws(ConfigurationError) {
        guard access(directory, F_OK) == 0 else {
            keys = []
            return
        }
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted() } catch {
            throw ConfigurationError(text: "\(directory): cannot be read")
        }
        var keys: [(name: String, key: Curve25519.Signing.PublicKey)] = []
        for name in names where name.hasSuffix(".pem") && !name.hasPrefix(".") {
            let path = "\(directory)/\(name)"
            guard let text = FileManager.default.contents(atPath: path),
                let key = Self.key(pem: String(decoding: text, as: UTF8.self))
            else {
                throw ConfigurationError(
                    text:
                        "\(path): not an Ed25519 public key; accepted: PEM, as 'openssl pkey -pubout' writes it"
                )
            }
            keys.append((String(name.dropLast(".pem".count)), key))
        }
        self.keys = keys
    }

    /// Source: RFC 8410, section 4 (SubjectPublicKeyInfo of id-Ed25519): twelve fixed bytes, then the key.
    private static func key(pem: String) -> Curve25519.Signing.PublicKey? {
        let lines = pem.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        guard lines.first == "-----BEGIN PUBLIC KEY-----", lines.last == "-----END PUBLIC KEY-----",
            let bytes = Data(base64Encoded: lines.dropFirst().dropLast().joined())
        else { return nil }
        let head: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
        guard bytes.count == head.count + 32, bytes.starts(with: head) else { return nil }
        return try? Curve25519.Signing.PublicKey(rawRepresentation: bytes.dropFirst(head.count))
    }

    /// Whose signature it is; nil: nobody's whom we trust. Takes a millisecond or two for a megabyte.
    func signer(of object: [UInt8], signature: [UInt8]) -> String? {
        keys.first { $0.key.isValidSignature(signature, for: object) }?.name
    }
}
