package portner;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.event.ApplicationReadyEvent;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** An API that accepts the access tokens of one issuer. Its settings are in the environment. */
@SpringBootApplication
@RestController
public class Api {
    public static void main(String[] args) throws Exception {
        trust(Path.of(System.getenv("SSL_CERT_FILE")));
        String[] listen = System.getenv("LISTEN").split(":");
        SpringApplication api = new SpringApplication(Api.class);
        api.setDefaultProperties(Map.of("server.address", listen[0], "server.port", listen[1], "spring.main.banner-mode", "off",
            "spring.ssl.bundle.pem.api.keystore.certificate", "file:" + System.getenv("SERVER_CERTIFICATE"),
            "spring.ssl.bundle.pem.api.keystore.private-key", "file:" + System.getenv("SERVER_KEY"),
            "spring.ssl.bundle.pem.api.truststore.certificate", "file:" + System.getenv("SSL_CERT_FILE"),
            "server.ssl.bundle", "api", "server.ssl.client-auth", "want"));
        api.run(args);
    }

    @EventListener(ApplicationReadyEvent.class)
    void ready() {
        System.out.println("ready");
    }

    @GetMapping("/who")
    Map<String, Object> who(@AuthenticationPrincipal Jwt token) {
        return token.getClaims();
    }

    @Bean
    SecurityFilterChain chain(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(r -> r.anyRequest().authenticated()).oauth2ResourceServer(r -> r.jwt(Customizer.withDefaults())).build();
    }

    /**
     * The settings for tokens of RFC 9068: without the type, Spring Security refuses the header "typ": "at+jwt". createDefaultWithValidators adds the
     * check of cnf.x5t#S256 against the certificate of the TLS client, which createAtJwtValidator lacks.
     */
    @Bean
    JwtDecoder decoder() {
        String issuer = System.getenv("ISSUER");
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withIssuerLocation(issuer).jwsAlgorithms(a -> a.addAll(List.of(SignatureAlgorithm.ES256, SignatureAlgorithm.PS256, SignatureAlgorithm.RS256)))
            .validateType(false).build();
        decoder.setJwtValidator(JwtValidators.createDefaultWithValidators(new JwtTypeValidator("at+jwt"),
            JwtValidators.createAtJwtValidator().issuer(issuer).audience(System.getenv("AUDIENCE")).clientId(System.getenv("CLIENT_ID")).build()));
        return decoder;
    }

    /** Trusts the certificate authority of a PEM file. */
    static void trust(Path file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream in = Files.newInputStream(file)) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        SSLContext.setDefault(context);
    }
}
