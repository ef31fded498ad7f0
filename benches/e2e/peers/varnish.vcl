# Varnish knows gzip only: it codes once, when it fetches, and keeps that.
vcl 4.1;

backend app {
    .host = "127.0.0.1";
    .port = "@origin@";
    .max_connections = 4000;
}

sub vcl_backend_response {
    if (beresp.http.Content-Type ~ "^(text/|application/json)") {
        set beresp.do_gzip = true;
    }
}
