"""The tutorial's URLconf, with views that are imported from `rest_framework_simplejwt`."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import path
from rest_framework_simplejwt import views as jwt_views

from hello.views import HelloView

urlpatterns = [
    path("api/token/", jwt_views.TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("api/token/refresh/", jwt_views.TokenRefreshView.as_view(), name="token_refresh"),
    path("hello/", HelloView.as_view(), name="hello"),
    path("admin/", admin.site.urls),
    *staticfiles_urlpatterns(),
]
