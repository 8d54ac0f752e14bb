from django.urls import path
from rest_framework_simplejwt import views as jwt_views
from shop import views

urlpatterns = [
    path("api/token/", jwt_views.TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("api/token/refresh/", jwt_views.TokenRefreshView.as_view(), name="token_refresh"),
    path("api/token/verify/", jwt_views.TokenVerifyView.as_view(), name="token_verify"),
    path("api/token/blacklist/", jwt_views.TokenBlacklistView.as_view(), name="token_blacklist"),
    path("hello/", views.HelloView.as_view()),
    path("stateless/", views.StatelessView.as_view()),
    path("register/", views.RegisterView.as_view()),
]
