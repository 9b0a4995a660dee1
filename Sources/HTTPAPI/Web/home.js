// The browser alone knows by which name it reached the service.
document.getElementById("service").textContent = location.origin;
